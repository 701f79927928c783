# Boundary network on a narrow ResNet-18 whose weights stay as they are drawn: enough for the
# synthetic shapes, which differ in colour.
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
            depth=18,
            base_channels=16,
            stem_channels=16,
            strides=(1, 2, 2, 1),
            dilations=(1, 1, 1, 1),
            norm_cfg=dict(type='BN'),
        ),
        taps=('maxpool', 'layer1', 'layer2', 'layer3', 'layer4'),
    ),
    head=dict(type='BoundaryHead', in_channels=(16, 16, 32, 64, 128), scales=(1, 1, 2, 4, 4)),
    radius=10,
)
