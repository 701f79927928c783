# AffinityNet: affinity network on the wide ResNet-38, trained on the confident regions.
_base_ = [
    '../_base_/networks/affinity-network_resnet38.py',
    '../_base_/datasets/voc12_affinity_448.py',
    '../_base_/schedules/psa_affinity_10576.py',
    '../_base_/default_runtime.py',
]
model = {{_base_.affinity_network}}
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # published: 0.01 without momentum
