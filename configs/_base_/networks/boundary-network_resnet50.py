# Boundary network on ResNet-50 at output stride 16: stem and four stages, all frozen.
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
            type='ResNet',
            depth=50,
            strides=(1, 2, 2, 1),
            dilations=(1, 1, 1, 1),
            norm_cfg=dict(type='BN'),
            init_cfg=dict(type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/resnet50.pth'),
        ),
        taps=('maxpool', 'layer1', 'layer2', 'layer3', 'layer4'),
    ),
    head=dict(type='BoundaryHead', in_channels=(64, 256, 512, 1024, 2048), scales=(1, 1, 2, 4, 4)),
    radius=10,
)
