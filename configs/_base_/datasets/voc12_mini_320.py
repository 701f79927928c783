# PASCAL VOC 2012 in minutes on a CPU: tags, 320 px crops of train.txt; the same images to label at
# their original size. The masks are only for the table of results; no stage learns from them.
data_root = '{{$MMWSSS_DATA:data}}/VOCdevkit/VOC2012'
jitter = dict(
    type='BrightnessContrastSaturation',
    brightness=(0.7, 1.3),
    contrast=(0.7, 1.3),
    saturation=(0.7, 1.3),
)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='RandomLongSide', size=320, ratio_range=(0.6, 1.5)),
    dict(type='PadRandomCrop', crop_size=320),
    dict(type='RandomFlip', prob=0.5),
    jitter,
    dict(type='PackWeakInputs'),
]
label_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    drop_last=True,
    sampler=dict(type='InfiniteSampler'),
    dataset=dict(
        type='VOCWeakDataset',
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train.txt',
        supervision='tag',
        pipeline=train_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VOCWeakDataset',
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train.txt',
        supervision='tag',
        data_prefix=dict(seg_map_path='SegmentationClass'),
        test_mode=True,
        pipeline=label_pipeline,
    ),
)
