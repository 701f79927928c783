# AdamW, 20 iterations of warm-up, poly decay, x5 learning rate for the head: 400 iterations of 16
# images, about nine epochs of 677.
max_iters = 400
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=2e-4, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys={'decode_head': dict(lr_mult=5.0)}),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=20),
    dict(type='PolyLR', power=0.9, by_epoch=False, begin=20, end=max_iters),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='SegmentorTestLoop')
custom_hooks = [dict(type='ChannelsLastHook')]
