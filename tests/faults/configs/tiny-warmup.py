# A classifier of tags that trains in a second, and its labels, scores and proportions. Only the
# order of the images is random, so a resumed training must end with the same weights.
_base_ = ['../../../configs/demo/psa-cam_resnet18_shapes-96x96.py']
model = dict(backbone=dict(base_channels=8, stem_channels=8), head=dict(in_channels=64))
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(batch_size=2, dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_iters=6)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2))
crf = dict(type='DenseCRF', iterations=2)
test_cfg = dict(
    _delete_=True,
    type='PseudoLabelLoop',
    num_workers=0,
    keep_scores=('low',),
    proportions=('low',),
    generator=dict(
        type='PseudoLabelGenerator',
        normalize=dict(type='MaxNormalize'),
        labels=dict(
            seed=dict(background=dict(type='PowerBackground', alpha=2)),
            low=dict(background=dict(type='PowerBackground', alpha=1), refiners=[crf]),
        ),
    ),
)
