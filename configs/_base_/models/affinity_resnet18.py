# The affinity network as the model that is trained.
_base_ = ['../networks/affinity-network_resnet18.py']
model = {{_base_.affinity_network}}
