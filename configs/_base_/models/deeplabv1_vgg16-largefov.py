# DeepLab-LargeFOV (DeepLab-V1) on VGG16: fc6 with dilation 12, one linear classifier, stride 8.
# For the noise-aware loss, a leaf sets decode_head=dict(type='NoiseAwareLargeFOVHead').
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[104.008, 116.669, 122.675],  # BGR, as the Caffe weights expect
        std=[1.0, 1.0, 1.0],
    ),
    backbone=dict(
        type='VGG16DeepLab',
        fc6_dilation=12,
        init_cfg=dict(
            type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/vgg16_deeplab.pth'
        ),
    ),
    decode_head=dict(type='LargeFOVHead', in_channels=1024, num_classes=21),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
