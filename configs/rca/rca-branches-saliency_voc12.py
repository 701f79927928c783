# Labels of RCA as published: maps kept in the training of its published architecture, a CRF, and
# saliency maps instead of the background.
_base_ = [
    '../_base_/datasets/voc12_tags_original.py',
    '../_base_/pseudo_labels/rca_saliency_labels.py',
    '../_base_/default_runtime.py',
]
model = dict(type='StoredCAMs', folder='')
# A maximum over epochs may be above 0 everywhere.
test_cfg = dict(generator=dict(normalize=dict(type='MinMaxNormalize')))
