# Before the first round: foreground proportions, and the confident regions of the first classifier
# from which IRN's boundary network learns (`--tta`).
_base_ = [
    '../_base_/models/sbce_resnet38.py',
    '../_base_/datasets/voc12_tags_448.py',
    '../_base_/pseudo_labels/irn_confident.py',
    '../_base_/default_runtime.py',
]
train_dataloader = None
model = dict(objectives=[dict(type='MultiLabelSoftMargin')], rectify='before_resize')
seed_crf = dict(
    background=dict(type='PowerBackground', alpha=4),
    refiners=[dict(type='DenseCRF', bilateral_weight=10, bilateral_xy=80, bilateral_rgb=13)],
)
test_cfg = dict(
    keep_scores=(),
    proportions=('seed_crf',),
    generator=dict(labels=dict(seed_crf=seed_crf)),
)
