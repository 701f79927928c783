# Starts from the weights of the warm-up, with its own objective, rates and parameter groups, for
# fewer iterations. It keeps one checkpoint, written at every iteration.
_base_ = ['./tiny-warmup.py']
model = dict(
    objectives=[
        dict(type='MultiLabelSoftMargin'),
        dict(type='ErasingTriplet', embedding='score_map'),
    ]
)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'head': dict(lr_mult=10.0)}))
train_cfg = dict(max_iters=4)
default_hooks = dict(checkpoint=dict(interval=1))
