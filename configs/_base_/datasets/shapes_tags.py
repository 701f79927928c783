# Synthetic shapes with tags: python tools/dataset_converters/make_shapes.py data/shapes
_base_ = ['./shapes_boxes.py']
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='RandomBoxScale', scale_range=(0.75, 1.25)),
    dict(type='PlaceRandomCrop', crop_size=96),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='BrightnessContrastSaturation',
        brightness=(0.8, 1.2),
        contrast=(0.8, 1.2),
        saturation=(0.8, 1.2),
    ),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(dataset=dict(supervision='tag', pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(supervision='tag'))
