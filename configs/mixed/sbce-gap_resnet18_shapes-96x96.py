# Spatial-BCE next to the usual loss of a classifier with average pooling (synthetic shapes). In the
# labels, the learned thresholds separate the background.
_base_ = [
    '../_base_/models/cam_resnet18.py',
    '../_base_/datasets/shapes.py',
    '../_base_/schedules/shapes_adamw.py',
    '../_base_/default_runtime.py',
]
model = dict(
    head=dict(
        in_channels=32,
        context=dict(type='ThresholdBranch', in_channels=128, num_classes=4, channels=32),
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),
    ),
    objectives=[dict(type='MultiLabelSoftMargin'), dict(type='SpatialBCE')],
    rectify='never',
)
tta_model = dict(type='MultiScaleCAM', merge='mean_sigmoid')
tta_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale_factor=1.0, keep_ratio=True)],
            [dict(type='PackWeakInputs')],
        ],
    ),
]
# Whole images, because a proportion refers to one; a flip does not change it.
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(
    dataset=dict(supervision='tag', proportion_file='', pipeline=train_pipeline)
)
load_new = ('head.',)  # thresholds and reduced channels on a trained classifier
find_unused_parameters = True
custom_hooks = [dict(type='AlternatingPhaseHook', period=10, first=8)]
default_hooks = dict(logger=dict(interval=20))
test_cfg = dict(
    type='PseudoLabelLoop',
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(seed=dict(background=dict(type='LearnedThreshold'))),
    ),
)
test_evaluator = []
