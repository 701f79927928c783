# 8000 iterations; x1 / x2 / x10 learning rates for weights, biases and new layers.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(
        bias_lr_mult=2.0, bias_decay_mult=0.0, custom_keys={'head': dict(lr_mult=10.0)}
    ),
)
param_scheduler = [dict(type='MultiStepLR', milestones=[5000], gamma=0.1, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=8000)
val_cfg = None
