# Boxes, the published settings of BANA (CVPR 2021) for the classifier and its pseudo labels.
# There are no background masks on disk: they are made from the boxes on the fly.
_base_ = ['./voc12.py']
train_pipeline = [
    dict(type='LoadImage', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='RandomBoxScale', scale_range=(0.5, 1.5)),
    dict(type='PadRandomCrop', crop_size=321),
    dict(type='RandomFlip', prob=0.5),
    dict(type='BrightnessContrastSaturation'),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(batch_size=20, dataset=dict(supervision='box', pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(supervision='box'))
