# BANA on synthetic shapes: segmentor with the noise-aware loss on both pseudo labels, validation on
# true masks.
_base_ = [
    '../_base_/datasets/shapes.py',
    '../_base_/schedules/shapes_adamw.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=(96, 96),
    ),
    backbone=dict(
        type='ResNetV1c',
        depth=18,
        base_channels=16,
        stem_channels=16,
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        norm_cfg=dict(type='BN'),
        out_indices=(3,),
    ),
    decode_head=dict(
        type='NoiseAwareFCNHead',
        in_channels=128,
        in_index=0,
        channels=64,
        num_convs=1,
        concat_input=False,
        num_classes=5,
        norm_cfg=dict(type='BN'),
        align_corners=True,
    ),
    test_cfg=dict(mode='whole'),
)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadPseudoLabels'),
    dict(type='RandomBoxScale', scale_range=(0.75, 1.25)),
    dict(type='PadRandomCrop', crop_size=96),
    dict(type='RandomFlip', prob=0.5),
    {{_base_.jitter}},
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
train_dataloader = dict(dataset=dict(supervision=None, data_prefix=dict(), pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ShapesWeakDataset',
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
train_cfg = dict(val_interval=200)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='SegmentorTestLoop')
default_hooks = dict(logger=dict(interval=20))
