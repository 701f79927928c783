# BANA, segmentation stage on ResNet-101: 20 000 iterations of 10 images, poly decay, x10 learning
# rate for new layers.
max_iters = 20000
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=2.5e-4, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(custom_keys={'_head': dict(lr_mult=10.0)}),
)
# mmengine's decay is complete one iteration before `end`.
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False, end=20001)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='SegmentorTestLoop')
