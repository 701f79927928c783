# Classifier with gated pyramid pooling on the wide ResNet-38 (AEFT, ECCV 2022): 4096 channels
# reduced to 256, one linear classifier; no layer has a bias. Maps lose their negative part after
# they are enlarged.
_base_ = ['./cam_resnet38.py']
model = dict(
    backbone=dict(dropout=(0.2, 0.2)),
    neck=dict(
        type='ConcatConvNeck',
        in_channels=[4096],
        out_channels=256,
        bias=False,
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),
    ),
    head=dict(in_channels=256, pooling=dict(type='GatedPyramidPooling', num_classes=20)),
    objectives=[dict(type='MultiLabelSoftMargin'), dict(type='ErasingTriplet')],
    rectify='after_resize',
)
