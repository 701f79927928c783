# Classifier with background-aware pooling on DeepLab's VGG16 (BANA, first stage).
model = dict(
    type='CAMClassifier',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[104.008, 116.669, 122.675],  # BGR, as the Caffe weights expect
        std=[1.0, 1.0, 1.0],
        bgr_to_rgb=False,
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone=dict(
        type='VGG16DeepLab',
        fc6_dilation=1,
        init_cfg=dict(
            type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/vgg16_deeplab.pth'
        ),
    ),
    head=dict(
        type='CAMHead',
        in_channels=1024,
        num_classes=20,
        pooling=dict(type='BackgroundAwarePooling', grid_size=4, bins=2, min_background=0.125),
    ),
    objectives=[dict(type='RegionCrossEntropy')],
    align_corners=True,
    rectify='after_resize',
)
