# Tags and foreground proportions, whole images of 320x320; CAMs of train.txt at four sizes of the
# longer side. A flip leaves a proportion as it is; a crop would not.
_base_ = ['./voc12_tags_mini_320.py']
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='Resize', scale=(320, 320), keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='BrightnessContrastSaturation',
        brightness=(0.7, 1.3),
        contrast=(0.7, 1.3),
        saturation=(0.7, 1.3),
    ),
    dict(type='PackWeakInputs'),
]
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
train_dataloader = dict(
    dataset=dict(
        proportion_file='',  # a pipeline fills it in
        pipeline=train_pipeline,
    )
)
test_dataloader = dict(
    dataset=dict(ann_file='ImageSets/Segmentation/train.txt', pipeline=tta_pipeline)
)
