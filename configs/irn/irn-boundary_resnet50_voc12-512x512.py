# IRN: boundary network on ResNet-50, trained on the confident regions.
_base_ = [
    '../_base_/networks/boundary-network_resnet50.py',
    '../_base_/datasets/voc12_boundary_512.py',
    '../_base_/schedules/irn_boundary_990.py',
    '../_base_/default_runtime.py',
]
model = {{_base_.boundary_network}}
