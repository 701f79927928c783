# Plain classifier on MobileNetV2, output stride 16, which takes minutes instead of hours on a CPU.
# Frozen up to its last layer, one new 1x1 convolution before the classifier, average pooling. When
# maps are made, each image is run together with its mirror image.
model = dict(
    type='CAMClassifier',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='DilatedMobileNetV2',
        strides=(1, 2, 2, 2, 1, 1, 1),
        dilations=(1, 1, 1, 1, 1, 2, 2),
        out_indices=(6,),
        frozen_stages=6,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='{{$MMWSSS_WEIGHTS:weights}}/mobilenet_v2_torchvision.pth',
        ),
    ),
    neck=dict(type='ConcatConvNeck', in_channels=[320], out_channels=512),
    head=dict(
        type='CAMHead',
        in_channels=512,
        num_classes=20,
        pooling=dict(type='GlobalAveragePooling'),
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),  # as PSA's classifier
    ),
    objectives=[dict(type='MultiLabelSoftMargin')],
    flip=True,
)
