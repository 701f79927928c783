# Plain classifier on DeepLab's VGG16, average pooling.
model = dict(
    type='CAMClassifier',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[104.008, 116.669, 122.675],  # BGR, as the Caffe weights expect
        std=[1.0, 1.0, 1.0],
    ),
    backbone=dict(
        type='VGG16DeepLab',
        init_cfg=dict(
            type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/vgg16_deeplab.pth'
        ),
    ),
    head=dict(
        type='CAMHead',
        in_channels=1024,
        num_classes=20,
        pooling=dict(type='GlobalAveragePooling'),
    ),
    objectives=[dict(type='MultiLabelSoftMargin')],
)
