# The first classifier, in the architecture of the rounds, which continue with its head. Its test
# makes labels (`--tta`) for their foreground proportions. It trains like AffinityNet's classifier,
# with the rates of the rounds. Thresholds and temperature do not learn yet.
_base_ = [
    '../_base_/models/sbce_resnet38.py',
    '../_base_/datasets/voc12_tags_448.py',
    '../_base_/schedules/psa_classifier_9915.py',
    '../_base_/pseudo_labels/psa_confident.py',
    '../_base_/default_runtime.py',
]
model = dict(objectives=[dict(type='MultiLabelSoftMargin')], rectify='before_resize')
optim_wrapper = dict(optimizer=dict(lr=1e-3))
seed_crf = dict(background=dict(type='PowerBackground', alpha=4), refiners=[{{_base_.crf}}])
test_cfg = dict(
    keep_scores=(),
    proportions=('seed_crf',),
    generator=dict(labels=dict(_delete_=True, seed_crf=seed_crf)),
)
