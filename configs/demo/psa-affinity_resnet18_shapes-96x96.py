# AffinityNet on synthetic shapes: the affinity network.
_base_ = [
    '../_base_/models/affinity_resnet18.py',
    '../_base_/datasets/shapes_affinity.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4))
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=100)
val_cfg = None
default_hooks = dict(logger=dict(interval=20))
