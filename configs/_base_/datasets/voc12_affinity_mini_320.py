# Confident scores for the affinity network, 320 px crops of train.txt.
dataset_type = 'VOCWeakDataset'
data_root = '{{$MMWSSS_DATA:data}}/VOCdevkit/VOC2012'
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadConfidentScores'),
    dict(
        type='BrightnessContrastSaturation',
        brightness=(0.7, 1.3),
        contrast=(0.7, 1.3),
        saturation=(0.7, 1.3),
    ),
    dict(type='PlaceRandomCrop', crop_size=320, pad_value=(127.5, 127.5, 127.5)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='AffinityLabels', stride=8),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train.txt',
        supervision=None,
        missing_seg_map='skip',
        data_prefix=dict(),
        pipeline=train_pipeline,
    ),
)
