# BANA's classifier from boxes (MobileNetV2), whose regions are contrasted with RCA's memory: one
# region for every class with boxes in an image, without what looks like background.
_base_ = ['../bana/bana_mobilenet-v2_voc12-mini-320x320.py']
model = dict(
    objectives=[
        dict(type='RegionCrossEntropy'),
        dict(
            type='RegionContrast',
            num_classes=20,
            channels=512,
            regions='region_weights',
            loss_weight=0.08,
        ),
    ]
)
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(type='StartObjectiveHook', objective='RegionContrast', begin=42),
]
