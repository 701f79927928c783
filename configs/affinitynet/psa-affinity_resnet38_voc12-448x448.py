# AffinityNet: affinity network on the wide ResNet-38, trained on the confident regions.
_base_ = [
    '../_base_/networks/affinity-network_resnet38.py',
    '../_base_/datasets/voc12_affinity_448.py',
    '../_base_/schedules/psa_affinity_10576.py',
    '../_base_/default_runtime.py',
]
model = {{_base_.affinity_network}}
