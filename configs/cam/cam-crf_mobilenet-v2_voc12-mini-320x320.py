# Pseudo labels of the plain CAM: background (1 - max cam)^2, as they are and refined by a CRF. The
# published alphas of 4 to 32 are too large for these broad maps.
_base_ = ['./cam_mobilenet-v2_voc12-mini-320x320.py']
# The sizes of the sweep in _base_, without true masks.
tta_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale=(480, 480), keep_ratio=True),
                dict(type='Resize', scale=(160, 160), keep_ratio=True),
                dict(type='Resize', scale=(320, 320), keep_ratio=True),
                dict(type='Resize', scale=(640, 640), keep_ratio=True),
            ],
            [dict(type='PackWeakInputs')],
        ],
    ),
]
test_dataloader = dict(dataset=dict(pipeline=tta_pipeline))
test_cfg = dict(
    _delete_=True,
    type='PseudoLabelLoop',
    generator=dict(
        type='PseudoLabelGenerator',
        normalize=dict(type='MaxNormalize'),
        labels=dict(
            seed=dict(background=dict(type='PowerBackground', alpha=2)),
            seed_crf=dict(
                start='seed',
                refiners=[
                    dict(
                        type='DenseCRF',
                        bilateral_weight=10,
                        bilateral_xy=80,
                        bilateral_rgb=13,
                        gaussian_weight=3,
                        gaussian_xy=3,
                        iterations=10,
                    )
                ],
            ),
        ),
    ),
)
test_evaluator = []
