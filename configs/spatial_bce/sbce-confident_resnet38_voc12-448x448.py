# Before the first round: foreground proportions, and confident regions for an affinity network,
# from labels of the first classifier (`--tta`).
_base_ = [
    '../_base_/models/sbce_resnet38.py',
    '../_base_/datasets/voc12_tags_448.py',
    '../_base_/pseudo_labels/psa_confident.py',
    '../_base_/default_runtime.py',
]
train_dataloader = None
model = dict(objectives=[dict(type='MultiLabelSoftMargin')], rectify='before_resize')
test_cfg = dict(keep_scores=('low', 'high'), proportions=('low',))
