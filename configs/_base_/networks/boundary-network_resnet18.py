# Boundary network on a narrow ResNet-18 whose random weights stay fixed: enough for the synthetic
# shapes, which differ in colour.
_base_ = ['./boundary-network.py']
boundary_network = dict(
    backbone=dict(
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
    head=dict(in_channels=(16, 16, 32, 64, 128)),
)
