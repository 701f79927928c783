# Affinity network on MobileNetV2 at output stride 8, frozen up to its last layer: half the channels
# of the paper, on layers 4, 5 and 7.
affinity_network = dict(
    type='AffinityNetwork',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='DilatedMobileNetV2',
        strides=(1, 2, 2, 1, 1, 1, 1),
        dilations=(1, 1, 1, 2, 2, 4, 4),
        out_indices=(3, 4, 6),
        frozen_stages=6,
        norm_eval=True,
        norm_cfg=dict(type='BN', eps=1e-3),
        conv_cfg=dict(type='Conv2dAdaptivePadding'),
        init_cfg=dict(
            type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/mobilenet_v2_in1k.pth'
        ),
    ),
    head=dict(type='AffinityHead', in_channels=(64, 96, 320), channels=(32, 64, 128)),
    radius=5,
)
