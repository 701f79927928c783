# AEFT: AffinityNet's affinity network, trained on the confident regions with a tenth of its
# learning rate. The published code has 0.01 (AffinityNet: 0.1) with momentum 0.0005; with momentum
# 0.9 a tenth of that makes steps of the same length.
_base_ = ['../affinitynet/psa-affinity_resnet38_voc12-448x448.py']
optim_wrapper = dict(optimizer=dict(lr=1e-3))
