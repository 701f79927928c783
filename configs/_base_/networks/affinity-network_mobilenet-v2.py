# Affinity network on MobileNetV2 at output stride 8, frozen up to its last layer: half the channels
# of the paper, on layers 4, 5 and 7.
affinity_network = dict(
    type='AffinityNetwork',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='DilatedMobileNetV2',
        strides=(1, 2, 2, 1, 1, 1, 1),
        dilations=(1, 1, 1, 2, 2, 4, 4),
        out_indices=(3, 4, 6),
        frozen_stages=6,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='{{$MMWSSS_WEIGHTS:weights}}/mobilenet_v2_torchvision.pth',
        ),
    ),
    head=dict(type='AffinityHead', in_channels=(64, 96, 320), channels=(32, 64, 128)),
    radius=5,
)
