# DeepLab-LargeFOV on the wide ResNet-38: two 3x3 convolutions with dilation 12, stride 8. Only the
# normalisations are frozen.
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='ResNet38',
        frozen_stages=0,
        init_cfg=dict(type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/resnet38.pth'),
    ),
    decode_head=dict(type='DilatedLargeFOVHead', in_channels=4096, num_classes=21),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
