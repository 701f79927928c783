# AffinityNet, classifier: 9915 iterations (15 epochs of 10 582 images in batches of 16), poly
# decay; x1 / x2 / x10 / x20 learning rates for weights, biases, new weights and new biases, no
# weight decay on biases. The published code passes the weight decay in place of the momentum, and
# so trains with momentum 0.0005. With momentum 0.9, a tenth of the rate gives steps of the same
# length: 0.01 for VGG16, published with 0.1. ResNet-38 was trained with a tenth of both, which its
# configs set.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(
        bias_lr_mult=2.0, bias_decay_mult=0.0, custom_keys={'head': dict(lr_mult=10.0)}
    ),
)
# mmengine's decay is complete one iteration before `end`.
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False, end=9916)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=9915)
val_cfg = None
