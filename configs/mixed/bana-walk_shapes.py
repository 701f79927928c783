# Boxes to a segmentation model with parts of two methods (synthetic shapes): BANA's classifier and
# box CAMs, AffinityNet's affinities and random walk.
_base_ = ['./bana-walk_mobilenet-v2_voc.py']
stages = dict(
    classifier=dict(config='../demo/bana-classifier_resnet18_shapes-96x96.py'),
    confident=dict(config='bana-confident_resnet18_shapes-96x96.py'),
    affinity=dict(config='../demo/psa-affinity_resnet18_shapes-96x96.py'),
    walk=dict(config='bana-walk_resnet18_shapes-96x96.py'),
    segmentor=dict(config='../demo/psa-ce_resnet18_shapes-96x96.py'),
)
