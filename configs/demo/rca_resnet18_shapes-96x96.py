# RCA on synthetic shapes: contrast of regions with a memory, and aggregation from its centroids.
_base_ = ['./psa-cam_resnet18_shapes-96x96.py']
model = dict(
    head=dict(
        in_channels=256,
        context=dict(type='SemanticAggregation', in_channels=128, num_classes=4, centroids=3),
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),
    ),
    objectives=[
        dict(type='MultiLabelSoftMargin'),
        dict(type='MultiLabelSoftMargin', part='coarse_map', loss_weight=0.4),
        dict(
            type='RegionContrast',
            num_classes=4,
            channels=128,
            regions='coarse_map',
            feats='local_feats',
            memory=dict(slots=50),
            loss_weight=0.1,
        ),
    ],
)
custom_hooks = [
    dict(type='RegionCentroidsHook', begin=100, interval=50),
    dict(type='StartObjectiveHook', objective='RegionContrast', begin=200),
]
