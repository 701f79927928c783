# Affinity network on MobileNetV2: minutes on a CPU.
_base_ = [
    '../_base_/networks/affinity-network_mobilenet-v2.py',
    '../_base_/datasets/voc12_affinity_mini_320.py',
    '../_base_/schedules/mini_adamw.py',
    '../_base_/default_runtime.py',
]
model = {{_base_.affinity_network}}
max_iters = 400
optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=20),
    dict(type='PolyLR', power=0.9, by_epoch=False, begin=20, end=max_iters),
]
train_cfg = dict(max_iters=max_iters)
