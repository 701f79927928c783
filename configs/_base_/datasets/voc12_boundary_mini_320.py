# Confident labels for the boundary network, 320 px crops of train.txt.
_base_ = ['./voc12_mini_320.py']
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadPseudoLabels'),
    dict(type='RandomBoxScale', scale_range=(0.5, 1.5)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PlaceRandomCrop', crop_size=320),
    dict(type='GridLabels', stride=4),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        supervision=None, missing_seg_map='skip', data_prefix=dict(), pipeline=train_pipeline
    ),
)
test_dataloader = None
