# PASCAL VOC 2012: loaders of train_aug for training and, at the original size, for the images to
# label. A child adds supervision, pipelines and batch size. To evaluate the labels as well, add
# data_prefix=dict(seg_map_path=<folder of true masks>) to the test; no stage learns from it.
data_root = '{{$MMWSSS_DATA:data}}/VOCdevkit/VOC2012'
label_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(
    num_workers=4,
    drop_last=True,
    sampler=dict(type='InfiniteSampler'),
    dataset=dict(
        type='VOCWeakDataset',
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train_aug.txt',
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VOCWeakDataset',
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train_aug.txt',
        test_mode=True,
        pipeline=label_pipeline,
    ),
)
