# Classifier with learned thresholds on the wide ResNet-38 (Spatial-BCE, ECCV 2022): 4096 channels
# reduced to 128, one linear classifier, one threshold and one temperature a class.
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
        init_cfg=dict(type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/resnet38.pth'),
    ),
    head=dict(
        type='CAMHead',
        in_channels=128,
        num_classes=20,
        context=dict(type='ThresholdBranch', in_channels=4096, num_classes=20, channels=128),
        pooling=dict(type='GlobalAveragePooling'),
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),
    ),
    objectives=[dict(type='SpatialBCE')],
    align_corners=False,
    rectify='never',
    flip=True,
)
tta_model = dict(type='MultiScaleCAM', merge='mean_sigmoid')
# Probabilities and thresholds learn in turns, so that some parameters get no gradient.
find_unused_parameters = True
