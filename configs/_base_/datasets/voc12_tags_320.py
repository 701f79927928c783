# Tags for class activation maps, the published settings of AEFT (ECCV 2022): long side 256-512,
# colour jitter on four of five images, crop 320 padded with the mean colour.
_base_ = ['./voc12.py', '../test_time/multi_scale_cam.py']
jitter = dict(type='mmpretrain.ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='RandomLongSide', size=512, ratio_range=(0.5, 1.0), interpolation='bicubic'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomApply', transforms=[jitter], prob=0.8),
    dict(type='PlaceRandomCrop', crop_size=320),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(batch_size=32, dataset=dict(supervision='tag', pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(supervision='tag', pipeline={{_base_.tta_pipeline}}))
