# Segmentation on pseudo labels, 320 px crops, train.txt; validation on val.txt with true masks.
_base_ = ['./voc12_mini_320.py']
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadPseudoLabels'),
    dict(type='RandomBoxScale', scale_range=(0.5, 1.5)),
    dict(type='PadRandomCrop', crop_size=320),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='BrightnessContrastSaturation',
        brightness=(0.8, 1.2),
        contrast=(0.8, 1.2),
        saturation=(0.8, 1.2),
    ),
    dict(type='PackWeakInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='PackWeakInputs'),
]
val_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(
    dataset=dict(
        supervision=None,
        missing_seg_map='skip',  # images without an annotation got no label
        data_prefix=dict(),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VOCWeakDataset',
        data_root={{_base_.data_root}},
        ann_file='ImageSets/Segmentation/val.txt',
        supervision=None,
        data_prefix=dict(seg_map_path='SegmentationClass'),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
val_evaluator = dict(type='IoUMetric')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
