# Boundary network on ResNet-50 at output stride 16: stem and four stages, all frozen.
_base_ = ['./boundary-network.py']
boundary_network = dict(
    backbone=dict(
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
    head=dict(in_channels=(64, 256, 512, 1024, 2048)),
)
