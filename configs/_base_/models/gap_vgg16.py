# Classifier with average pooling on VGG16 as AffinityNet (CVPR 2018) has it: no pooling after the
# last block, conv1 and conv2 frozen, square root of the class activation maps.
model = dict(
    type='CAMClassifier',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[104.008, 116.669, 122.675],  # BGR, as the Caffe weights expect
        std=[1.0, 1.0, 1.0],
        bgr_to_rgb=False,
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone=dict(
        type='VGG16DeepLab',
        fc6_dilation=1,
        pool5=False,
        dropout=(0.5, 0.0),  # after fc6 only
        frozen_stages=2,
        init_cfg=dict(
            type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/vgg16_deeplab.pth'
        ),
    ),
    head=dict(
        type='CAMHead',
        in_channels=1024,
        num_classes=20,
        pooling=dict(type='GlobalAveragePooling'),
        dropout=0.5,
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),
    ),
    objectives=[dict(type='MultiLabelSoftMargin')],
    align_corners=False,
    rectify='before_resize',
    flip=True,
    square_root=True,
)
tta_model = dict(type='MultiScaleCAM')
