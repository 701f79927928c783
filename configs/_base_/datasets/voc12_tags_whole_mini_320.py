# Tags and foreground proportions, whole images of 320x320; CAMs of train.txt at four sizes. A flip
# does not change a proportion, but a crop would.
_base_ = ['./voc12_mini_320.py', '../test_time/multi_size_cam_mini.py']
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='Resize', scale=(320, 320), keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    {{_base_.jitter}},
    dict(type='PackWeakInputs'),
]
train_dataloader = dict(
    dataset=dict(
        proportion_file='',  # a pipeline fills it in
        pipeline=train_pipeline,
    )
)
test_dataloader = dict(dataset=dict(pipeline={{_base_.tta_pipeline}}))
