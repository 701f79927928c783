# Confident scores for the affinity network, the published settings (CVPR 2018): colour jitter, crop
# 448 padded with black, no change of scale.
_base_ = ['./voc12.py']
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadConfidentScores'),
    dict(type='mmpretrain.ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    dict(type='PlaceRandomCrop', crop_size=448, pad_value=(0, 0, 0)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='AffinityLabels', stride=8),
    dict(type='PackWeakInputs'),
]
# Set data_prefix=dict(foreground_score_path=..., background_score_path=...) to the scores, absolute
# or below data_root. A pipeline fills in both.
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        supervision=None, missing_seg_map='skip', data_prefix=dict(), pipeline=train_pipeline
    ),
)
test_dataloader = None
