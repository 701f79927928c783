# AEFT on MobileNetV2 without repulsion: the erased image must keep its embedding.
_base_ = ['../cam/cam_mobilenet-v2_voc12-mini-320x320.py']
model = dict(
    head=dict(pooling=dict(type='GatedPyramidPooling', num_classes=20)),
    objectives=[
        dict(type='MultiLabelSoftMargin'),
        dict(type='ErasingTriplet', repulse_weight=0.0),
    ],
)
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(type='StartObjectiveHook', objective='ErasingTriplet', begin=200),
]
