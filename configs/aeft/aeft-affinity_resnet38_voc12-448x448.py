# AEFT: AffinityNet's affinity network, trained on the confident regions.
_base_ = ['../affinitynet/psa-affinity_resnet38_voc12-448x448.py']
