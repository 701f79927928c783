# What RCA (CVPR 2022) adds to a classifier with 512 channels: contrast with a memory of regions,
# and aggregation of the memory into the features, which doubles the number of channels.
context = dict(type='SemanticAggregation', in_channels=512, num_classes=20)
objectives = [
    dict(type='MultiLabelSoftMargin'),
    dict(type='MultiLabelSoftMargin', part='coarse_map', loss_weight=0.4),
    dict(
        type='RegionContrast',
        num_classes=20,
        channels=512,
        regions='coarse_map',
        feats='local_feats',
        loss_weight=0.08,  # published: 0.01 times the sum over 8 images
    ),
]
