# Images of train.txt to label at their original size, with tags; true masks for the table of
# results alone.
dataset_type = 'VOCWeakDataset'
data_root = '{{$MMWSSS_DATA:data}}/VOCdevkit/VOC2012'
label_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='PackWeakInputs'),
]
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train.txt',
        supervision='tag',
        data_prefix=dict(seg_map_path='SegmentationClass'),
        test_mode=True,
        pipeline=label_pipeline,
    ),
)
