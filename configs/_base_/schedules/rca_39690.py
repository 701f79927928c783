# RCA, classifier: 39 690 iterations (30 epochs of 1323 iterations: 10 582 images in batches of 8),
# steps after 5 and 10 epochs, tenfold learning rate for new layers. Contrast starts with the third
# epoch. Centroids are updated at the start of every epoch but the first.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.001, momentum=0.9, nesterov=True, weight_decay=5e-4),
    paramwise_cfg=dict(
        bias_lr_mult=2.0,
        custom_keys={
            'head': dict(lr_mult=10.0),
            'neck': dict(lr_mult=10.0),
            'neck.conv.conv.bias': dict(lr_mult=20.0),  # `bias_lr_mult` does not reach it
            'objectives': dict(lr_mult=10.0),
        },
    ),
)
param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[6615, 13230], gamma=0.1)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=39690)
val_cfg = None
custom_hooks = [
    dict(type='StartObjectiveHook', objective='RegionContrast', begin=2646),
    dict(type='RegionCentroidsHook', begin=1323, interval=1323),
]
