# BANA's classifier from boxes (synthetic shapes), whose regions are contrasted with RCA's memory:
# one region for every class with boxes in an image, without what looks like background.
_base_ = ['../demo/bana-classifier_resnet18_shapes-96x96.py']
model = dict(
    objectives=[
        dict(type='RegionCrossEntropy'),
        dict(
            type='RegionContrast',
            num_classes=4,
            channels=128,
            regions='region_weights',
            loss_weight=0.1,
        ),
    ]
)
custom_hooks = [dict(type='StartObjectiveHook', objective='RegionContrast', begin=20)]
