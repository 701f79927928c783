# Spatial-BCE, one round: 17620 iterations (20 epochs of 10 582 images in batches of 12), poly
# decay, x10 for new layers, no weight decay on the temperature; 80 iterations for the probabilities
# and 20 for the thresholds, in turns.
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(
        custom_keys={
            'head': dict(lr_mult=10.0),
            'head.context.log_temperature': dict(lr_mult=10.0, decay_mult=0.0),
        }
    ),
)
# mmengine's decay is complete one iteration before `end`.
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False, end=17621)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=17620)
val_cfg = None
custom_hooks = [
    dict(type='AlternatingPhaseHook', period=100, first=80),
    dict(type='CollapseHook'),
]
