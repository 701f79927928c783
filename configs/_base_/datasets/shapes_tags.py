# Synthetic shapes with tags: python tools/dataset_converters/make_shapes.py data/shapes
dataset_type = 'ShapesWeakDataset'
data_root = '{{$MMWSSS_DATA:data}}/shapes'
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='RandomBoxScale', scale_range=(0.75, 1.25)),
    dict(type='PlaceRandomCrop', crop_size=96),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='BrightnessContrastSaturation',
        brightness=(0.8, 1.2),
        contrast=(0.8, 1.2),
        saturation=(0.8, 1.2),
    ),
    dict(type='PackWeakInputs'),
]
label_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train.txt',
        supervision='tag',
        pipeline=train_pipeline,
    ),
)
# The images to label. The masks are for the table of results alone: no stage learns from them.
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train.txt',
        supervision='tag',
        data_prefix=dict(seg_map_path='SegmentationClass'),
        test_mode=True,
        pipeline=label_pipeline,
    ),
)
