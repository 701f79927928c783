# Boxes to a segmentation model with parts of two methods (MobileNetV2): BANA's classifier and box
# CAMs, AffinityNet's affinities and random walk.
_base_ = ['./bana-walk_shapes.py']
stages = dict(
    classifier=dict(config='../bana/bana_mobilenet-v2_voc12-mini-320x320.py'),
    confident=dict(config='bana-confident_mobilenet-v2_voc12-mini-320x320.py'),
    affinity=dict(config='../affinitynet/psa-affinity_mobilenet-v2_voc12-mini-320x320.py'),
    walk=dict(config='bana-walk_mobilenet-v2_voc12-mini-320x320.py'),
    segmentor=dict(config='../segmentors/aspp1_mobilenet-v2_voc12-mini-320x320.py'),
)
