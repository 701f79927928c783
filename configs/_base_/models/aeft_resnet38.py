# Classifier with gated pyramid pooling on the wide ResNet-38 (AEFT, ECCV 2022): 4096 channels
# reduced to 256, one linear classifier; no layer has a bias. Each image is run together with its
# mirror image when maps are made, and maps lose their negative part after they are enlarged.
model = dict(
    type='CAMClassifier',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone=dict(
        type='ResNet38',
        out_indices=(2,),
        dropout=(0.2, 0.2),
        init_cfg=dict(type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/resnet38.pth'),
    ),
    neck=dict(
        type='ConcatConvNeck',
        in_channels=[4096],
        out_channels=256,
        bias=False,
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),
    ),
    head=dict(
        type='CAMHead',
        in_channels=256,
        num_classes=20,
        pooling=dict(type='GatedPyramidPooling', num_classes=20),
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),
    ),
    objectives=[dict(type='MultiLabelSoftMargin'), dict(type='ErasingTriplet')],
    align_corners=False,
    rectify='after_resize',
    flip=True,
)
tta_model = dict(type='MultiScaleCAM')
