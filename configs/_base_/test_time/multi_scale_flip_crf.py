# Test with four scales and flip: mean of the logits, softmax, dense CRF on the image (BANA).
# Used with `--tta` or, in a pipeline, tta=True.
tta_model = dict(
    type='LogitAverageTTA',
    refiner=dict(type='DenseCRF', bilateral_weight=4, bilateral_xy=121, bilateral_rgb=5),
)
tta_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale_factor=1.0, keep_ratio=True),
                dict(type='Resize', scale_factor=0.5, keep_ratio=True),
                dict(type='Resize', scale_factor=0.75, keep_ratio=True),
                dict(type='Resize', scale_factor=1.5, keep_ratio=True),
            ],
            [
                dict(type='RandomFlip', prob=0.0),
                dict(type='RandomFlip', prob=1.0),
            ],
            [dict(type='LoadAnnotations')],
            [dict(type='PackWeakInputs')],
        ],
    ),
]
