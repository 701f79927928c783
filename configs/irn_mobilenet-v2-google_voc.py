# irn_mobilenet-v2_voc.py from Google's weights of MobileNetV2.
_base_ = ['./irn_mobilenet-v2_voc.py']
backbone = dict(
    norm_cfg=dict(type='BN', eps=1e-3),
    conv_cfg=dict(type='Conv2dAdaptivePadding'),
    init_cfg=dict(checkpoint='{{$MMWSSS_WEIGHTS:weights}}/mobilenet_v2_in1k.pth'),
)
data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
google = dict(data_preprocessor=data_preprocessor, backbone=backbone)
boundary = dict(data_preprocessor=data_preprocessor, backbone=dict(backbone=backbone))
stages = dict(
    classifier=dict(options={'model': google}),
    seeds=dict(options={'model': google}),
    boundary=dict(options={'model': boundary}),
    walk=dict(options={'test_cfg.generator.labels.walk.refiners.0.network': boundary}),
    segmentor=dict(options={'model': google}),
)
