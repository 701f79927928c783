# aeft_mobilenet-v2_voc.py from Google's weights of MobileNetV2.
_base_ = ['./psa_mobilenet-v2_voc.py']
google = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    backbone=dict(
        norm_cfg=dict(type='BN', eps=1e-3),
        conv_cfg=dict(type='Conv2dAdaptivePadding'),
        init_cfg=dict(checkpoint='{{$MMWSSS_WEIGHTS:weights}}/mobilenet_v2_in1k.pth'),
    ),
)
stages = dict(
    classifier=dict(
        config='aeft/aeft_mobilenet-v2_voc12-mini-320x320.py', options={'model': google}
    ),
    seeds=dict(
        config='aeft/aeft-confident_mobilenet-v2_voc12-mini-320x320.py', options={'model': google}
    ),
    affinity=dict(options={'model': google}),
    walk=dict(
        config='aeft/aeft-walk_mobilenet-v2_voc12-mini.py',
        options={'test_cfg.generator.labels.walk.refiners.0.network': google},
    ),
    segmentor=dict(options={'model': google}),
)
