# An affinity network that takes a second to train on kept scores.
_base_ = ['../../../configs/demo/psa-affinity_resnet18_shapes-96x96.py']
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadConfidentScores'),
    dict(type='AffinityLabels', stride=4),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(batch_size=2, dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_iters=2)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2))
