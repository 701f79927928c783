# Labels of RCA on MobileNetV2 for train.txt. The exponent is 1 instead of 4, because these maps are
# even broader than those of the plain CAM, which has 2. The threshold chosen with true masks shows
# it (docs/results.md).
_base_ = [
    '../affinitynet/psa-confident_mobilenet-v2_voc12-mini-320x320.py',
    '../_base_/models/rca.py',
]
model = dict(head=dict(in_channels=1024, context={{_base_.context}}))
test_cfg = dict(
    keep_scores=(),
    generator=dict(
        labels=dict(
            _delete_=True,
            seed=dict(background=dict(type='PowerBackground', alpha=1)),
            seed_crf=dict(start='seed', refiners=[{{_base_.crf}}]),
        )
    ),
)
