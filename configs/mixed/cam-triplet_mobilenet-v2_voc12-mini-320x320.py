# Plain CAM with average pooling (MobileNetV2) and AEFT's erasing triplets. The score map is
# embedded, and every image is paired with one that shares no class.
_base_ = ['../cam/cam_mobilenet-v2_voc12-mini-320x320.py']
model = dict(
    objectives=[
        dict(type='MultiLabelSoftMargin'),
        dict(type='ErasingTriplet', embedding='score_map'),
    ]
)
train_dataloader = dict(sampler=dict(type='DisjointPairSampler'))
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(type='StartObjectiveHook', objective='ErasingTriplet', begin=200),
]
