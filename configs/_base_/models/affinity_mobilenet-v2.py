# The affinity network as the model that is trained.
_base_ = ['../networks/affinity-network_mobilenet-v2.py']
model = {{_base_.affinity_network}}
