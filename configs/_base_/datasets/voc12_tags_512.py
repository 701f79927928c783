# Tags for class activation maps, the published settings of IRN (CVPR 2019): long side 320-640, crop
# 512 padded with the mean colour, no colour jitter.
_base_ = ['./voc12.py', '../test_time/multi_scale_cam.py']
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='RandomLongSide', size=640, ratio_range=(0.5, 1.0), interpolation='bicubic'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PlaceRandomCrop', crop_size=512),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(batch_size=16, dataset=dict(supervision='tag', pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(supervision='tag', pipeline={{_base_.tta_pipeline}}))
