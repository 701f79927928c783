# AEFT, warm-up: 23796 iterations (18 epochs of 10 582 images in batches of 8), the same learning
# rate for all layers. The poly decay counts to 52880, 40 epochs in batches of 8, but the second
# phase has batches of 32. After 31056 iterations in total, the rate ends at 0.45 of its start. The
# published code passes the weight decay in place of the momentum, and so trains with momentum
# 0.0005: optim_wrapper.optimizer.momentum=0.0005 optim_wrapper.optimizer.lr=0.01 reproduce it. With
# momentum 0.9, a tenth of that rate gives steps of the same length.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=5e-4))
# mmengine's decay is complete one iteration before `end`.
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False, end=52881)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=23796)
val_cfg = None
