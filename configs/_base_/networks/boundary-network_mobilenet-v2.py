# Boundary network on MobileNetV2 at output stride 16, frozen: five of its layers, the first two at
# stride 4.
_base_ = ['./boundary-network.py']
boundary_network = dict(
    backbone=dict(
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
    head=dict(in_channels=(24, 24, 32, 96, 320)),
)
