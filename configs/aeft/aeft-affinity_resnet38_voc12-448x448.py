# AEFT: AffinityNet's affinity network, trained on the confident regions with a tenth of its
# learning rate. The published code has 0.01 (AffinityNet: 0.1) with momentum 0.0005; with momentum
# 0.9 a tenth of that makes steps of the same length.
_base_ = [
    '../_base_/networks/affinity-network_resnet38.py',
    '../_base_/datasets/voc12_affinity_448.py',
    '../_base_/schedules/psa_affinity_10576.py',
    '../_base_/default_runtime.py',
]
model = {{_base_.affinity_network}}
optim_wrapper = dict(optimizer=dict(lr=1e-3))
