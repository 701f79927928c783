# AEFT, triplet: 7260 iterations (22 epochs of 32 of 10 582 images), the rest of the poly decay of
# the warm-up: 0.001 (7260 / 31056)^0.9 to 0. To reproduce the published code (see the warm-up):
# optim_wrapper.optimizer.momentum=0.0005, optim_wrapper.optimizer.lr=0.00584,
# param_scheduler.0.end=29085.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=2.7034e-4, momentum=0.9, weight_decay=5e-4))
# mmengine's decay is complete one iteration before `end`.
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False, end=7261)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=7260)
val_cfg = None
