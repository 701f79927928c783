# AffinityNet on synthetic shapes: the affinity network.
_base_ = [
    '../_base_/networks/affinity-network_resnet18.py',
    '../_base_/datasets/shapes.py',
    '../_base_/schedules/shapes_adamw.py',
    '../_base_/default_runtime.py',
]
model = {{_base_.affinity_network}}
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadConfidentScores'),
    dict(type='PlaceRandomCrop', crop_size=96, pad_value=(0, 0, 0)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='AffinityLabels', stride=4),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(dataset=dict(supervision=None, data_prefix=dict(), pipeline=train_pipeline))
test_dataloader = None
train_cfg = dict(max_iters=100)
default_hooks = dict(logger=dict(interval=20))
