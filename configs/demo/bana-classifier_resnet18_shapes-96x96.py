# BANA on synthetic shapes: classifier and pseudo labels, about a minute on a CPU.
_base_ = [
    '../_base_/models/cam_resnet18.py',
    '../_base_/datasets/shapes.py',
    '../_base_/schedules/shapes_adamw.py',
    '../_base_/pseudo_labels/bana_labels.py',
    '../_base_/default_runtime.py',
]
model = dict(
    head=dict(
        pooling=dict(type='BackgroundAwarePooling', grid_size=4, bins=2, min_background=0.125)
    ),
    objectives=[dict(type='RegionCrossEntropy')],
    align_corners=True,
    rectify='after_resize',
    flip=False,
)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='RandomBoxScale', scale_range=(0.75, 1.25)),
    dict(type='PadRandomCrop', crop_size=96, min_box_size=4),
    dict(type='RandomFlip', prob=0.5),
    {{_base_.jitter}},
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(dataset=dict(supervision='box', pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(supervision='box'))
default_hooks = dict(logger=dict(interval=20))
