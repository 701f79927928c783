# Confident scores for the affinity network, 320 px crops of train.txt.
_base_ = ['./voc12_mini_320.py']
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadConfidentScores'),
    {{_base_.jitter}},
    dict(type='PlaceRandomCrop', crop_size=320, pad_value=(127.5, 127.5, 127.5)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='AffinityLabels', stride=8),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        supervision=None, missing_seg_map='skip', data_prefix=dict(), pipeline=train_pipeline
    ),
)
test_dataloader = None
