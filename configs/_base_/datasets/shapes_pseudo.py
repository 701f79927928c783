# Segmentation of the synthetic shapes on pseudo labels; validation on true masks.
dataset_type = 'ShapesWeakDataset'
data_root = '{{$MMWSSS_DATA:data}}/shapes'
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadPseudoLabels'),
    dict(type='RandomBoxScale', scale_range=(0.75, 1.25)),
    dict(type='PadRandomCrop', crop_size=96),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='BrightnessContrastSaturation',
        brightness=(0.8, 1.2),
        contrast=(0.8, 1.2),
        saturation=(0.8, 1.2),
    ),
    dict(type='PackWeakInputs'),
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadAnnotations'),
    dict(type='PackWeakInputs'),
]
# Name the pseudo labels: data_prefix=dict(seg_map_path=..., aux_seg_map_path=...), absolute or
# below data_root. A pipeline fills both in.
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train.txt',
        supervision=None,
        data_prefix=dict(),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/val.txt',
        supervision=None,
        data_prefix=dict(seg_map_path='SegmentationClass'),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_dataloader = val_dataloader
test_evaluator = val_evaluator
