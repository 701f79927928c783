# BANA on synthetic shapes: classifier and pseudo labels, about a minute on a CPU.
_base_ = [
    '../_base_/models/bap_resnet18.py',
    '../_base_/datasets/shapes_boxes.py',
    '../_base_/pseudo_labels/bana_labels.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4))
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=200)
val_cfg = None
default_hooks = dict(logger=dict(interval=20))
