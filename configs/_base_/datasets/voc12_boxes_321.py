# Boxes, the published settings of BANA (CVPR 2021) for the classifier and its pseudo labels.
# No background masks on disk: they are made from the boxes on the fly.
dataset_type = 'VOCWeakDataset'
data_root = '{{$MMWSSS_DATA:data}}/VOCdevkit/VOC2012'
train_pipeline = [
    dict(type='LoadImage', to_float32=True),
    dict(type='LoadWeakAnnotations'),
    dict(type='RandomBoxScale', scale_range=(0.5, 1.5)),
    dict(type='PadRandomCrop', crop_size=321),
    dict(type='RandomFlip', prob=0.5),
    dict(type='BrightnessContrastSaturation'),
    dict(type='PackWeakInputs'),
]
label_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(
    batch_size=20,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train_aug.txt',
        supervision='box',
        pipeline=train_pipeline,
    ),
)
# The images to label, at their original size. To have the labels evaluated as well, add
# data_prefix=dict(seg_map_path=<folder of true masks>): no stage learns from it.
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train_aug.txt',
        supervision='box',
        test_mode=True,
        pipeline=label_pipeline,
    ),
)
