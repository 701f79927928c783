# Segmentation on pseudo labels, the published settings of BANA (CVPR 2021); validation on true
# masks at the original size.
_base_ = ['./voc12.py']
train_pipeline = [
    dict(type='LoadImage', to_float32=True),
    dict(type='LoadPseudoLabels'),
    dict(type='RandomBoxScale', scale_range=(0.5, 1.5)),
    dict(type='PadRandomCrop', crop_size=321),
    dict(type='RandomFlip', prob=0.5),
    dict(type='BrightnessContrastSaturation'),
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
# Set data_prefix=dict(seg_map_path=..., aux_seg_map_path=...) to the pseudo labels, absolute or
# below data_root. Only the noise-aware loss uses the second folder. A pipeline fills in both.
train_dataloader = dict(
    batch_size=20,
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
val_evaluator = dict(type='IoUMetric')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
