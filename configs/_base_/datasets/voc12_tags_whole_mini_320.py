# Tags and foreground proportions, whole images of 320x320; CAMs of train.txt at four sizes of the
# longer side. A flip leaves a proportion as it is; a crop would not.
dataset_type = 'VOCWeakDataset'
data_root = '{{$MMWSSS_DATA:data}}/VOCdevkit/VOC2012'
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
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train.txt',
        supervision='tag',
        proportion_file='',  # a pipeline fills it in
        pipeline=train_pipeline,
    ),
)
# The masks are for the evaluation of the labels alone: no stage learns from them.
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train.txt',
        supervision='tag',
        data_prefix=dict(seg_map_path='SegmentationClass'),
        test_mode=True,
        pipeline=tta_pipeline,
    ),
)
