# AffinityNet, affinity network: 10576 iterations (8 epochs of 10 582 images in batches of 8), poly
# decay; x1 / x2 / x10 / x20 learning rates for weights, biases, new weights and new biases, no
# weight decay on biases. The published code passes the weight decay in place of the momentum, and
# so trains with momentum 0.0005. With momentum 0.9, a tenth of the rate gives steps of the same
# length: 0.01 for VGG16, published with 0.1. ResNet-38 was trained with a tenth of both, which its
# configs set.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(
        bias_lr_mult=2.0,
        bias_decay_mult=0.0,
        custom_keys={
            'head.branches.0.conv': dict(lr_mult=10.0),
            'head.branches.1.conv': dict(lr_mult=10.0),
            'head.branches.2.conv': dict(lr_mult=10.0),
            'head.fusion': dict(lr_mult=10.0),
            # The group normalisations on VGG16, whose biases `bias_lr_mult` does not reach.
            'head.branches.0.norm.bias': dict(lr_mult=2.0, decay_mult=0.0),
            'head.branches.1.norm.bias': dict(lr_mult=2.0, decay_mult=0.0),
            'head.branches.2.norm.bias': dict(lr_mult=2.0, decay_mult=0.0),
        },
    ),
)
# mmengine's decay is complete one iteration before `end`.
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False, end=10577)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=10576)
val_cfg = None
