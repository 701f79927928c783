# IRN from tags to a segmentation model on MobileNetV2, on two CPU cores.
_base_ = ['./irn_voc.py']
stages = dict(
    classifier=dict(config='cam/cam_mobilenet-v2_voc12-mini-320x320.py'),
    seeds=dict(config='irn/irn-confident_mobilenet-v2_voc12-mini-320x320.py'),
    boundary=dict(config='irn/irn-boundary_mobilenet-v2_voc12-mini-320x320.py'),
    walk=dict(config='irn/irn-walk_mobilenet-v2_voc12-mini.py'),
    segmentor=dict(config='segmentors/aspp1_mobilenet-v2_voc12-mini-320x320.py'),
    test=None,
)
