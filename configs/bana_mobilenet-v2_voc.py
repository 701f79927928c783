# BANA from boxes to a segmentation model on MobileNetV2, in less than 40 minutes on two CPU cores.
_base_ = ['./bana_voc.py']
stages = dict(
    classifier=dict(config='bana/bana_mobilenet-v2_voc12-mini-320x320.py'),
    labels=dict(config='bana/bana_mobilenet-v2_voc12-mini-320x320.py'),
    segmentor=dict(config='bana/bana-nal_mobilenet-v2_voc12-mini-320x320.py'),
    test=None,
)
