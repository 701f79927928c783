# Segmentation on pseudo labels with the augmentation of DeepLab-V2: one of five scales, padding at
# the right and bottom, no colour jitter; validation on true masks at the original size.
_base_ = ['./voc12.py']
train_pipeline = [
    dict(type='LoadImage', to_float32=True),
    dict(type='LoadPseudoLabels'),
    dict(type='RandomBoxScale', factors=(0.5, 0.75, 1.0, 1.25, 1.5)),
    dict(type='Pad', size=(321, 321), pad_val=dict(img=(104.008, 116.669, 122.675), seg=255)),
    dict(type='RandomCrop', crop_size=(321, 321)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackWeakInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='PackWeakInputs'),
]
val_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackWeakInputs'),
]
# Set data_prefix=dict(seg_map_path=...) to the pseudo labels, absolute or below data_root. A
# pipeline fills it in.
train_dataloader = dict(
    batch_size=10,
    dataset=dict(
        supervision=None,
        missing_seg_map='skip',  # images without an annotation got no label
        data_prefix=dict(),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VOCWeakDataset',
        data_root={{_base_.data_root}},
        ann_file='ImageSets/Segmentation/val.txt',
        supervision=None,
        data_prefix=dict(seg_map_path='SegmentationClass'),
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_dataloader = val_dataloader
test_evaluator = val_evaluator
