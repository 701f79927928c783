# Plain CAM from tags: average pooling, multi-label soft margin, MobileNetV2 frozen up to its last
# layer. The test is a sweep of the background threshold over multi-scale CAMs, which uses ground
# truth.
_base_ = [
    '../_base_/models/bap_mobilenet-v2.py',
    '../_base_/datasets/voc12_tags_mini_320.py',
    '../_base_/schedules/mini_adamw.py',
    '../_base_/default_runtime.py',
]
max_iters = 420
model = dict(
    backbone=dict(frozen_stages=6),
    head=dict(
        pooling=dict(_delete_=True, type='GlobalAveragePooling'),
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),  # as PSA's classifier
    ),
    objectives=[dict(type='MultiLabelSoftMargin')],
    align_corners=False,
    rectify='before_resize',
    flip=True,
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type='PolyLR', power=0.9, eta_min=0.0, by_epoch=False, begin=20, end=max_iters),
]
train_cfg = dict(max_iters=max_iters)
tta_model = dict(type='MultiScaleCAM')
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='SeedIoUWithGroundTruth')
