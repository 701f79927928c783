# sbce_mobilenet-v2_voc.py from Google's weights of MobileNetV2, as in docs/results.md.
_base_ = ['./sbce_mobilenet-v2_voc.py']
google = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    backbone=dict(
        norm_cfg=dict(type='BN', eps=1e-3),
        conv_cfg=dict(type='Conv2dAdaptivePadding'),
        init_cfg=dict(checkpoint='{{$MMWSSS_WEIGHTS:weights}}/mobilenet_v2_in1k.pth'),
    ),
)
stages = dict(
    classifier=dict(options={'model': google}),
    labels0=dict(options={'model': google}),
    round1=dict(options={'model': google}),
    labels1=dict(options={'model': google}),
    segmentor=dict(options={'model': google}),
)
