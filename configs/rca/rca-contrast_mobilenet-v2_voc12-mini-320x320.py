# RCA on MobileNetV2 without aggregation: the plain CAM, whose regions are contrasted with a memory
# starting with the third of ten epochs.
_base_ = ['../cam/cam_mobilenet-v2_voc12-mini-320x320.py']
model = dict(
    objectives=[
        dict(type='MultiLabelSoftMargin'),
        dict(type='RegionContrast', num_classes=20, channels=512, loss_weight=0.08),
    ]
)
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(type='StartObjectiveHook', objective='RegionContrast', begin=84),
]
