# IRN, boundary network: 990 iterations (3 epochs of 10 582 images in batches of 32), poly decay.
# Published with momentum 0.0001 and rate 0.1; see irn_classifier_3305.py.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4))
# mmengine's decay is complete one iteration before `end`.
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False, end=991)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=990)
val_cfg = None
