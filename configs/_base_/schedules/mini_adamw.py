# For the small settings: AdamW, 20 iterations of warm-up, poly decay, 420 iterations of 16 images
# (ten epochs of 677). A leaf may set another length.
max_iters = 420
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys={'neck': dict(lr_mult=10.0), 'head': dict(lr_mult=10.0)}),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=20),
    dict(type='PolyLR', power=0.9, by_epoch=False, begin=20, end=max_iters),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)
val_cfg = None
custom_hooks = [dict(type='ChannelsLastHook')]
