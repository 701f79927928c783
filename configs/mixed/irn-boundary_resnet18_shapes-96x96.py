# IRN's boundary network on synthetic shapes, which learns from the label maps of any method.
_base_ = [
    '../_base_/networks/boundary-network_resnet18.py',
    '../_base_/datasets/shapes.py',
    '../_base_/schedules/shapes_adamw.py',
    '../_base_/default_runtime.py',
]
model = {{_base_.boundary_network}}
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadPseudoLabels'),
    dict(type='RandomBoxScale', scale_range=(0.75, 1.25)),
    dict(type='PlaceRandomCrop', crop_size=96),
    dict(type='RandomFlip', prob=0.5),
    dict(type='GridLabels', stride=4),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(dataset=dict(supervision=None, data_prefix=dict(), pipeline=train_pipeline))
test_dataloader = None
train_cfg = dict(max_iters=600)
default_hooks = dict(logger=dict(interval=20))
