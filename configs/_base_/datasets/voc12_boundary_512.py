# Confident labels for the boundary network, the published settings of IRN (CVPR 2019): scale
# 0.5-1.5, crop 512 padded with the mean colour.
_base_ = ['./voc12.py']
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadPseudoLabels'),
    dict(type='RandomBoxScale', scale_range=(0.5, 1.5)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PlaceRandomCrop', crop_size=512),
    dict(type='GridLabels', stride=4),
    dict(type='PackWeakInputs'),
]
# Set data_prefix=dict(seg_map_path=<trusted classes>, aux_seg_map_path=<trusted background>) to the
# labels, absolute or below data_root. A pipeline fills in both.
train_dataloader = dict(
    batch_size=32,
    dataset=dict(
        supervision=None, missing_seg_map='skip', data_prefix=dict(), pipeline=train_pipeline
    ),
)
test_dataloader = None
