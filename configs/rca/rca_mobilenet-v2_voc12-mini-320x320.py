# RCA on MobileNetV2: contrast with a memory of regions and, starting with the second of ten epochs,
# aggregation of its centroids. The test sweeps the background threshold over multi-scale CAMs,
# which uses ground truth.
_base_ = ['../cam/cam_mobilenet-v2_voc12-mini-320x320.py', '../_base_/models/rca.py']
model = dict(
    head=dict(
        in_channels=1024,
        context=dict(
            type='SemanticAggregation',
            in_channels=512,
            num_classes=20,
            init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),
        ),
    ),
    objectives={{_base_.objectives}},
)
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(type='StartObjectiveHook', objective='RegionContrast', begin=84),
    dict(type='RegionCentroidsHook', begin=42, interval=42),
]
