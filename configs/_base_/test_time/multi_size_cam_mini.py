# Class activation maps summed over four sizes of the longer side.
# Used with `--tta` or, in a pipeline, tta=True.
tta_model = dict(type='MultiScaleCAM')
sizes = [
    dict(type='Resize', scale=(480, 480), keep_ratio=True),
    dict(type='Resize', scale=(160, 160), keep_ratio=True),
    dict(type='Resize', scale=(320, 320), keep_ratio=True),
    dict(type='Resize', scale=(640, 640), keep_ratio=True),
]
tta_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='TestTimeAug', transforms=[sizes, [dict(type='PackWeakInputs')]]),
]
