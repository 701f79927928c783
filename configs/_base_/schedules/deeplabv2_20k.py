# DeepLab-V2 on ResNet-101: 20 000 iterations of 10 images, poly decay; x1 / x10 / x20 learning
# rates for weights, new weights and new biases, no weight decay on new biases.
max_iters = 20000
new_bias = dict(lr_mult=20.0, decay_mult=0.0)
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=2.5e-4, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(
        custom_keys={
            'decode_head': dict(lr_mult=10.0),
            'decode_head.conv_seg.0.bias': new_bias,
            'decode_head.conv_seg.1.bias': new_bias,
            'decode_head.conv_seg.2.bias': new_bias,
            'decode_head.conv_seg.3.bias': new_bias,
        }
    ),
)
# mmengine's decay is complete one iteration before `end`.
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False, end=20001)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='SegmentorTestLoop')
