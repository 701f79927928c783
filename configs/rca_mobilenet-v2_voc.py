# RCA from tags to a segmentation model on MobileNetV2, on two CPU cores.
_base_ = ['./rca_voc.py']
stages = dict(
    classifier=dict(config='rca/rca_mobilenet-v2_voc12-mini-320x320.py'),
    labels=dict(config='rca/rca-labels_mobilenet-v2_voc12-mini-320x320.py'),
    segmentor=dict(config='segmentors/aspp1_mobilenet-v2_voc12-mini-320x320.py'),
    test=None,
)
