# Images to label at their original size, with tags: one view.
dataset_type = 'VOCWeakDataset'
data_root = '{{$MMWSSS_DATA:data}}/VOCdevkit/VOC2012'
label_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='PackWeakInputs'),
]
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
        pipeline=label_pipeline,
    ),
)
