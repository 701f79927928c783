# AEFT from tags to a segmentation model on MobileNetV2, on two CPU cores. This is AffinityNet with
# another classifier, fewer steps and a CRF of one iteration.
_base_ = ['./psa_mobilenet-v2_voc.py']
stages = dict(
    classifier=dict(config='aeft/aeft_mobilenet-v2_voc12-mini-320x320.py'),
    seeds=dict(config='aeft/aeft-confident_mobilenet-v2_voc12-mini-320x320.py'),
    walk=dict(config='aeft/aeft-walk_mobilenet-v2_voc12-mini.py'),
)
