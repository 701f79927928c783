# AEFT on MobileNetV2, frozen up to its last layer. 200 of 420 iterations are the warm-up. The test
# sweeps the background threshold over multi-scale CAMs, which uses ground truth.
_base_ = ['../cam/cam_mobilenet-v2_voc12-mini-320x320.py']
model = dict(
    head=dict(pooling=dict(type='GatedPyramidPooling', num_classes=20)),
    objectives=[dict(type='MultiLabelSoftMargin'), dict(type='ErasingTriplet')],
)
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(type='StartObjectiveHook', objective='ErasingTriplet', begin=200),
]
