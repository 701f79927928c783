# Spatial-BCE, one round on MobileNetV2, frozen up to its last layer: minutes on a CPU. Rates and
# length were compared on 75 images with true masks (docs/results.md).
_base_ = [
    '../_base_/models/sbce_mobilenet-v2.py',
    '../_base_/datasets/voc12_tags_whole_mini_320.py',
    '../_base_/schedules/mini_adamw.py',
    '../_base_/pseudo_labels/sbce_labels.py',
    '../_base_/default_runtime.py',
]
max_iters = 300
tta_model = dict(merge='mean_sigmoid')
load_new = ('head.context.',)  # thresholds on a trained classifier
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=20),
    dict(type='PolyLR', power=0.9, by_epoch=False, begin=20, end=max_iters),
]
train_cfg = dict(max_iters=max_iters)
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(type='AlternatingPhaseHook', period=100, first=80),
    dict(type='CollapseHook'),
]
