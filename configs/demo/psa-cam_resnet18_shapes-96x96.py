# AffinityNet on synthetic shapes: classifier from tags, seeds and confident regions.
_base_ = [
    '../_base_/models/cam_resnet18.py',
    '../_base_/datasets/shapes.py',
    '../_base_/schedules/shapes_adamw.py',
    '../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='RandomBoxScale', scale_range=(0.75, 1.25)),
    dict(type='PlaceRandomCrop', crop_size=96),
    dict(type='RandomFlip', prob=0.5),
    {{_base_.jitter}},
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(dataset=dict(supervision='tag', pipeline=train_pipeline))
# Tags teach less than boxes. After 200 iterations, triangles, the smallest and dullest shapes, may
# not be learned, and their flat maps, divided by their maxima, would flood the labels.
train_cfg = dict(max_iters=600)
default_hooks = dict(logger=dict(interval=20))
crf = dict(type='DenseCRF', bilateral_weight=10, bilateral_xy=80, bilateral_rgb=13)
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
