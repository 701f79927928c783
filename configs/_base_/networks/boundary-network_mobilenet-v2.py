# Boundary network on MobileNetV2 at output stride 16, frozen: five of its layers, the first two at
# stride 4.
boundary_network = dict(
    type='BoundaryNetwork',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='TappedBackbone',
        backbone=dict(
            type='DilatedMobileNetV2',
            strides=(1, 2, 2, 2, 1, 1, 1),
            dilations=(1, 1, 1, 1, 1, 2, 2),
            out_indices=(6,),
            init_cfg=dict(
                type='Pretrained',
                checkpoint='{{$MMWSSS_WEIGHTS:weights}}/mobilenet_v2_torchvision.pth',
            ),
        ),
        taps=('layer2.0', 'layer2', 'layer3', 'layer5', 'layer7'),
    ),
    head=dict(type='BoundaryHead', in_channels=(24, 24, 32, 96, 320), scales=(1, 1, 2, 4, 4)),
    radius=10,
)
