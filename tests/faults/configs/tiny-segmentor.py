# A segmentor on pseudo labels, validated twice; only the order of the images is random.
_base_ = ['../../../configs/demo/psa-ce_resnet18_shapes-96x96.py']
model = dict(
    data_preprocessor=dict(size=(48, 48)),
    backbone=dict(base_channels=8, stem_channels=8),
    decode_head=dict(in_channels=64, channels=16, dropout_ratio=0.0),
)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadPseudoLabels'),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(batch_size=2, dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_iters=4, val_interval=2)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2))
