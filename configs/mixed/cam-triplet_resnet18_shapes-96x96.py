# Plain CAM with average pooling (synthetic shapes) and AEFT's erasing triplets: the score map is
# embedded, and every image meets one without a common class.
_base_ = ['../demo/psa-cam_resnet18_shapes-96x96.py']
model = dict(
    objectives=[
        dict(type='MultiLabelSoftMargin'),
        dict(type='ErasingTriplet', embedding='score_map'),
    ]
)
train_dataloader = dict(sampler=dict(type='DisjointPairSampler'))
custom_hooks = [dict(type='StartObjectiveHook', objective='ErasingTriplet', begin=100)]
