# RCA on VGG16 as in its published code: aggregation with learned projections and no softmax, a
# network of four convolutions per class, memory and centroids that start as noise, partners of any
# class, projections at the rate of the backbone, images in the order of the list, and the maps of
# the training as seeds (`training_cams`). The class branches take four fifths of the computation.
_base_ = [
    '../_base_/models/rca_vgg16.py',
    '../_base_/datasets/voc12_tags_368.py',
    '../_base_/schedules/rca_39690.py',
    '../_base_/pseudo_labels/rca_labels.py',
    '../_base_/default_runtime.py',
]
model = dict(
    head=dict(
        type='ClassBranchesHead',
        in_channels=512,
        context=dict(type='ProjectedAggregation'),
    ),
    objectives=[
        dict(type='MultiLabelSoftMargin'),
        dict(type='MultiLabelSoftMargin', part='coarse_map', loss_weight=0.4),
        dict(
            type='RegionContrast',
            num_classes=20,
            channels=512,
            regions='coarse_map',
            feats='local_feats',
            contrast=dict(partner='any', floor=1e-4),
            memory=dict(official=True),
            projection=True,
            loss_weight=0.08,
        ),
        dict(type='TrainingCAMs', num_classes=20),
    ],
)
train_dataloader = dict(sampler=dict(shuffle=False))  # in the order of the list
# mmengine's `bias_lr_mult` does not reach parameters that match a key.
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'head.classifier.convs.0.bias': dict(lr_mult=20.0),
            'head.classifier.convs.1.bias': dict(lr_mult=20.0),
            'head.classifier.convs.2.bias': dict(lr_mult=20.0),
            'head.classifier.score.bias': dict(lr_mult=20.0),
            'head.context.coarse.0.bias': dict(lr_mult=20.0),
            'head.context.coarse.2.bias': dict(lr_mult=20.0),
            'head.context.coarse.4.bias': dict(lr_mult=20.0),
            'head.context.coarse.6.bias': dict(lr_mult=20.0),
            'head.context.projections': dict(lr_mult=1.0),
            'head.context.projections.query.bias': dict(lr_mult=2.0),
            'head.context.projections.key.bias': dict(lr_mult=2.0),
            'head.context.projections.value.bias': dict(lr_mult=2.0),
            'head.context.projections.output.bias': dict(lr_mult=2.0),
            'head.context.reduction': dict(lr_mult=1.0),
            'head.context.reduction.bias': dict(lr_mult=2.0),
            'objectives.2.projection.0.bias': dict(lr_mult=20.0),
            'objectives.2.projection.1.bias': dict(lr_mult=20.0),
            'objectives.2.projection.3.bias': dict(lr_mult=20.0),
        }
    )
)
custom_hooks = [
    dict(type='StartObjectiveHook', objective='RegionContrast', begin=2646),
    dict(type='RegionCentroidsHook', begin=1323, interval=1323),
    dict(type='StartObjectiveHook', objective='TrainingCAMs', begin=1323),
    dict(type='TrainingCAMsHook'),
]
# The projection of the contrast has no gradient before it starts.
find_unused_parameters = True
