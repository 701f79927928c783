# A narrow ResNet-18 from scratch, output stride 8: enough for the synthetic shapes.
model = dict(
    type='CAMClassifier',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
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
        pooling=dict(type='BackgroundAwarePooling', grid_size=4, bins=2, min_background=0.125),
    ),
    objectives=[dict(type='RegionCrossEntropy')],
    align_corners=True,
    rectify='after_resize',
)
