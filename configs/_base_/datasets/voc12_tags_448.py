# Tags for class activation maps, the published settings of AffinityNet (CVPR 2018): long side
# 256-512, colour jitter, crop 448 padded with the mean colour. Test: scales 1, 0.5, 1.5 and 2 of
# the original.
dataset_type = 'VOCWeakDataset'
data_root = '{{$MMWSSS_DATA:data}}/VOCdevkit/VOC2012'
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='RandomLongSide', size=512, ratio_range=(0.5, 1.0), interpolation='bicubic'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmpretrain.ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    dict(type='PlaceRandomCrop', crop_size=448),
    dict(type='PackWeakInputs'),
]
tta_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(
                    type='Resize',
                    scale_factor=1.0,
                    keep_ratio=True,
                    interpolation='bicubic',
                    backend='pillow',
                ),
                dict(
                    type='Resize',
                    scale_factor=0.5,
                    keep_ratio=True,
                    interpolation='bicubic',
                    backend='pillow',
                ),
                dict(
                    type='Resize',
                    scale_factor=1.5,
                    keep_ratio=True,
                    interpolation='bicubic',
                    backend='pillow',
                ),
                dict(
                    type='Resize',
                    scale_factor=2.0,
                    keep_ratio=True,
                    interpolation='bicubic',
                    backend='pillow',
                ),
            ],
            [dict(type='PackWeakInputs')],
        ],
    ),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train_aug.txt',
        supervision='tag',
        pipeline=train_pipeline,
    ),
)
# To have the maps evaluated as well, add data_prefix=dict(seg_map_path=<folder of true masks>).
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train_aug.txt',
        supervision='tag',
        test_mode=True,
        pipeline=tta_pipeline,
    ),
)
