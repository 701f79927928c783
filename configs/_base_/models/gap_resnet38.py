# Classifier with average pooling on the wide ResNet-38 (AffinityNet, CVPR 2018). Each image is run
# together with its mirror image when maps are made.
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
        in_channels=4096,
        num_classes=20,
        pooling=dict(type='GlobalAveragePooling'),
        dropout=0.5,
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),
    ),
    objectives=[dict(type='MultiLabelSoftMargin')],
    align_corners=False,
    rectify='before_resize',
    flip=True,
)
tta_model = dict(type='MultiScaleCAM')
