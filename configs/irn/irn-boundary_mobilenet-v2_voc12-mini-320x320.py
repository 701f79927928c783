# Boundary network on MobileNetV2: minutes on a CPU. Only its small head learns, at five times the
# usual rate.
_base_ = [
    '../_base_/networks/boundary-network_mobilenet-v2.py',
    '../_base_/datasets/voc12_boundary_mini_320.py',
    '../_base_/schedules/mini_adamw.py',
    '../_base_/default_runtime.py',
]
model = {{_base_.boundary_network}}
optim_wrapper = dict(optimizer=dict(lr=5e-4))
