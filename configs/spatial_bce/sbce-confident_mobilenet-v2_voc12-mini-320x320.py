# Before the first round, on MobileNetV2: foreground proportions, and confident regions for an
# affinity network, from labels of the plain CAM.
_base_ = ['../affinitynet/psa-confident_mobilenet-v2_voc12-mini-320x320.py']
test_cfg = dict(keep_scores=('low', 'high'), proportions=('seed_crf',))
