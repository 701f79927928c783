# Class activation maps summed over four scales of the original image (AffinityNet, CVPR 2018).
# Used with `--tta` or, in a pipeline, tta=True.
tta_model = dict(type='MultiScaleCAM')
resize = dict(type='Resize', keep_ratio=True, interpolation='bicubic', backend='pillow')
tta_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(scale_factor=1.0, **resize),
                dict(scale_factor=0.5, **resize),
                dict(scale_factor=1.5, **resize),
                dict(scale_factor=2.0, **resize),
            ],
            [dict(type='PackWeakInputs')],
        ],
    ),
]
