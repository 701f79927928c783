# Plain classifier on a narrow ResNet-18 from scratch, output stride 8, average pooling: enough for
# the synthetic shapes. When maps are made, each image is run together with its mirror image.
model = dict(
    type='CAMClassifier',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='ResNetV1c',
        depth=18,
        base_channels=16,
        stem_channels=16,
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        norm_cfg=dict(type='BN'),
        out_indices=(3,),
    ),
    head=dict(
        type='CAMHead',
        in_channels=128,
        num_classes=4,
        pooling=dict(type='GlobalAveragePooling'),
    ),
    objectives=[dict(type='MultiLabelSoftMargin')],
    flip=True,
)
