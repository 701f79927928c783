# Plain CAM with average pooling (synthetic shapes) and AEFT's erasing triplets. The score map is
# embedded, and every image is paired with one that shares no class.
_base_ = ['../demo/psa-cam_resnet18_shapes-96x96.py']
model = dict(
    objectives=[
        dict(type='MultiLabelSoftMargin'),
        dict(type='ErasingTriplet', embedding='score_map'),
    ]
)
train_dataloader = dict(sampler=dict(type='DisjointPairSampler'))
custom_hooks = [dict(type='StartObjectiveHook', objective='ErasingTriplet', begin=100)]
