# Seeds and confident regions of the plain CAM on MobileNetV2. Exponents 1 and 4 in the place of 4
# and 32: these maps are broad.
_base_ = ['../cam/cam_mobilenet-v2_voc12-mini-320x320.py']
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
test_dataloader = dict(
    dataset=dict(ann_file='ImageSets/Segmentation/train.txt', pipeline=tta_pipeline)
)
crf = dict(
    type='DenseCRF',
    bilateral_weight=10,
    bilateral_xy=80,
    bilateral_rgb=13,
    gaussian_weight=3,
    gaussian_xy=3,
    iterations=10,
)
test_cfg = dict(
    _delete_=True,
    type='PseudoLabelLoop',
    keep_scores=('seed', 'low', 'high'),
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(
            seed=dict(background=dict(type='PowerBackground', alpha=2)),
            seed_crf=dict(background=dict(type='PowerBackground', alpha=2), refiners=[crf]),
            low=dict(background=dict(type='PowerBackground', alpha=1), refiners=[crf]),
            high=dict(background=dict(type='PowerBackground', alpha=4), refiners=[crf]),
        ),
    ),
)
test_evaluator = []
