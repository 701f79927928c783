# Test at the original size, dense CRF on the image (DeepLab-V2 on ResNet-101, whose own scales are
# in the model). Used with `--tta` or, in a pipeline, tta=True.
tta_model = dict(
    type='LogitAverageTTA',
    refiner=dict(
        type='DenseCRF', bilateral_weight=4, bilateral_xy=67, bilateral_rgb=3, gaussian_xy=1
    ),
)
tta_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='RandomFlip', prob=0.0)],
            [dict(type='LoadAnnotations')],
            [dict(type='PackWeakInputs')],
        ],
    ),
]
