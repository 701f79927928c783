# BANA, segmentation stage: 23 805 iterations of 20 images, poly decay; x1 / x2 / x10 / x20 learning
# rates for weights, biases, new weights and new biases, no weight decay on biases.
max_iters = 23805
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(
        bias_lr_mult=2.0,
        bias_decay_mult=0.0,
        custom_keys={
            'decode_head': dict(lr_mult=10.0),
            'decode_head.conv_seg.bias': dict(lr_mult=20.0, decay_mult=0.0),
        },
    ),
)
# mmengine's decay is complete one iteration before `end`.
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False, end=23806)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='SegmentorTestLoop')
