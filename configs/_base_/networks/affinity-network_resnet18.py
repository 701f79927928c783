# Affinity network on a narrow ResNet-18 from scratch, output stride 4: enough for the synthetic
# shapes.
affinity_network = dict(
    type='AffinityNetwork',
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
        strides=(1, 1, 1, 1),
        dilations=(1, 1, 2, 4),
        norm_cfg=dict(type='BN'),
        out_indices=(0, 1, 3),
    ),
    head=dict(type='AffinityHead', in_channels=(16, 32, 128), channels=(8, 16, 32)),
    radius=5,
)
