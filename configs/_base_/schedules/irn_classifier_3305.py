# IRN, classifier: 3305 iterations (5 epochs of 10 582 images in batches of 16), poly decay, x10
# learning rate for the classifier. The published code trains with rates 0.1 and 1 and, because it
# passes the weight decay in place of the momentum, with momentum 0.0001. With momentum 0.9, a tenth
# of the rates gives steps of the same length.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys={'head': dict(lr_mult=10.0)}),
)
# mmengine's decay is complete one iteration before `end`.
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False, end=3306)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=3305)
val_cfg = None
