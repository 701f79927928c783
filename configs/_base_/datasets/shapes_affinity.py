# Synthetic shapes: confident scores for an affinity network.
dataset_type = 'ShapesWeakDataset'
data_root = '{{$MMWSSS_DATA:data}}/shapes'
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadConfidentScores'),
    dict(type='PlaceRandomCrop', crop_size=96, pad_value=(0, 0, 0)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='AffinityLabels', stride=4),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train.txt',
        supervision=None,
        data_prefix=dict(),
        pipeline=train_pipeline,
    ),
)
