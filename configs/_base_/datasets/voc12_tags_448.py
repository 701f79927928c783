# Tags for class activation maps, the published settings of AffinityNet (CVPR 2018): long side
# 256-512, colour jitter, crop 448 padded with the mean colour.
_base_ = ['./voc12.py', '../test_time/multi_scale_cam.py']
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='RandomLongSide', size=512, ratio_range=(0.5, 1.0), interpolation='bicubic'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmpretrain.ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    dict(type='PlaceRandomCrop', crop_size=448),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(batch_size=16, dataset=dict(supervision='tag', pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(supervision='tag', pipeline={{_base_.tta_pipeline}}))
