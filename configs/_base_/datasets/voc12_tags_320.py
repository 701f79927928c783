# Tags for class activation maps, the published settings of AEFT (ECCV 2022): long side 256-512,
# colour jitter for four images of five, crop 320 padded with the mean colour. Test: as AffinityNet.
_base_ = ['./voc12_tags_448.py']
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='RandomLongSide', size=512, ratio_range=(0.5, 1.0), interpolation='bicubic'),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='RandomApply',
        transforms=[
            dict(
                type='mmpretrain.ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1
            )
        ],
        prob=0.8,
    ),
    dict(type='PlaceRandomCrop', crop_size=320),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))
