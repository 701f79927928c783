# BANA, classifier with background-aware pooling and pseudo labels on MobileNetV2, layers 1-3
# frozen: 6 epochs of 677 images.
_base_ = [
    '../_base_/models/cam_mobilenet-v2.py',
    '../_base_/datasets/voc12_mini_320.py',
    '../_base_/schedules/mini_adamw.py',
    '../_base_/pseudo_labels/bana_labels.py',
    '../_base_/default_runtime.py',
]
max_iters = 252
model = dict(
    backbone=dict(frozen_stages=3),
    head=dict(
        pooling=dict(type='BackgroundAwarePooling', grid_size=4, bins=2, min_background=0.125),
        init_cfg=None,  # PyTorch's own
    ),
    objectives=[dict(type='RegionCrossEntropy')],
    align_corners=True,
    rectify='after_resize',
    flip=False,
)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='RandomLongSide', size=320, ratio_range=(0.6, 1.5)),
    dict(type='PadRandomCrop', crop_size=320, min_box_size=4),
    dict(type='RandomFlip', prob=0.5),
    {{_base_.jitter}},
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(dataset=dict(supervision='box', pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(supervision='box'))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=20),
    dict(type='PolyLR', power=0.9, by_epoch=False, begin=20, end=max_iters),
]
train_cfg = dict(max_iters=max_iters)
