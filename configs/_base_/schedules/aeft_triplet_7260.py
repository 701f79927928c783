# AEFT, triplets: 7260 iterations (22 epochs of 10 582 images in batches of 32). The poly decay
# continues that of the warm-up, 0.001 (1 - k / 52880)^0.9, starting at k = 23796. Without momentum,
# as published: optim_wrapper.optimizer.momentum=0.0005 optim_wrapper.optimizer.lr=0.00584
optim_wrapper = dict(optimizer=dict(type='SGD', lr=5.84e-4, momentum=0.9, weight_decay=5e-4))
# mmengine's decay is complete one iteration before `end`.
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False, end=29085)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=7260)
val_cfg = None
