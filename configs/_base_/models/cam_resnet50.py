# Plain classifier on ResNet-50 at output stride 16, average pooling; stem and the first two stages
# frozen, and the statistics of all normalisations. When maps are made, each image is run together
# with its mirror image.
model = dict(
    type='CAMClassifier',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='ResNet',
        depth=50,
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 1),
        out_indices=(3,),
        frozen_stages=2,
        norm_cfg=dict(type='BN'),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/resnet50.pth'),
    ),
    head=dict(
        type='CAMHead',
        in_channels=2048,
        num_classes=20,
        pooling=dict(type='GlobalAveragePooling'),
    ),
    objectives=[dict(type='MultiLabelSoftMargin')],
    flip=True,
)
