# Plain classifier on the wide ResNet-38, average pooling. When maps are made, each image is run
# together with its mirror image.
model = dict(
    type='CAMClassifier',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='ResNet38',
        init_cfg=dict(type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/resnet38.pth'),
    ),
    head=dict(
        type='CAMHead',
        in_channels=4096,
        num_classes=20,
        pooling=dict(type='GlobalAveragePooling'),
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),
    ),
    objectives=[dict(type='MultiLabelSoftMargin')],
    flip=True,
)
