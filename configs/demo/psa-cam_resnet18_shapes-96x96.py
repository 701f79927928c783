# AffinityNet on synthetic shapes: classifier from tags, seeds and confident regions.
_base_ = [
    '../_base_/models/bap_resnet18.py',
    '../_base_/datasets/shapes_tags.py',
    '../_base_/default_runtime.py',
]
model = dict(
    head=dict(pooling=dict(_delete_=True, type='GlobalAveragePooling')),
    objectives=[dict(type='MultiLabelSoftMargin')],
    align_corners=False,
    rectify='before_resize',
    flip=True,
)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4))
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=200)
val_cfg = None
default_hooks = dict(logger=dict(interval=20))
crf = dict(
    type='DenseCRF',
    bilateral_weight=10,
    bilateral_xy=80,
    bilateral_rgb=13,
    gaussian_weight=3,
    gaussian_xy=3,
    iterations=10,
)
test_cfg = dict(
    type='PseudoLabelLoop',
    keep_scores=('seed', 'low', 'high'),
    proportions=('low',),
    generator=dict(
        type='PseudoLabelGenerator',
        normalize=dict(type='MaxNormalize'),
        labels=dict(
            seed=dict(background=dict(type='PowerBackground', alpha=2)),
            low=dict(background=dict(type='PowerBackground', alpha=1), refiners=[crf]),
            high=dict(background=dict(type='PowerBackground', alpha=4), refiners=[crf]),
        ),
    ),
)
test_evaluator = []
