# Before the first round, on MobileNetV2: labels of the plain CAM, for their foreground proportions.
_base_ = ['../affinitynet/psa-confident_mobilenet-v2_voc12-mini-320x320.py']
seed_crf = dict(background=dict(type='PowerBackground', alpha=2), refiners=[{{_base_.crf}}])
test_cfg = dict(
    keep_scores=(),
    proportions=('seed_crf',),
    generator=dict(labels=dict(_delete_=True, seed_crf=seed_crf)),
)
