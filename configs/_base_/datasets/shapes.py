# Synthetic shapes: python tools/dataset_converters/make_shapes.py data/shapes
# A config adds supervision and the training pipeline. The masks of the test are only for the table
# of results; no stage learns from them.
data_root = '{{$MMWSSS_DATA:data}}/shapes'
jitter = dict(
    type='BrightnessContrastSaturation',
    brightness=(0.8, 1.2),
    contrast=(0.8, 1.2),
    saturation=(0.8, 1.2),
)
label_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler'),
    dataset=dict(
        type='ShapesWeakDataset',
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train.txt',
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ShapesWeakDataset',
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train.txt',
        supervision='tag',
        data_prefix=dict(seg_map_path='SegmentationClass'),
        test_mode=True,
        pipeline=label_pipeline,
    ),
)
