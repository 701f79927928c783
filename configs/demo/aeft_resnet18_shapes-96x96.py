# AEFT on synthetic shapes: gated pyramid pooling and, after a warm-up, erasing triplets.
_base_ = ['./psa-cam_resnet18_shapes-96x96.py']
model = dict(
    head=dict(pooling=dict(_delete_=True, type='GatedPyramidPooling', num_classes=4)),
    objectives=[dict(type='MultiLabelSoftMargin'), dict(type='ErasingTriplet')],
)
custom_hooks = [dict(type='StartObjectiveHook', objective='ErasingTriplet', begin=300)]
