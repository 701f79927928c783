# Classifier with a memory of regions on VGG16 (RCA, CVPR 2022): output stride 8, 512 channels, no
# fully connected layers. Contrast with the memory, and what the memory knows added to the features.
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
        out_indices=(4,),
        pool5=False,
        init_cfg=dict(
            type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/vgg16_deeplab.pth'
        ),
    ),
    head=dict(
        type='CAMHead',
        in_channels=1024,
        num_classes=20,
        pooling=dict(type='GlobalAveragePooling'),
        context=dict(type='SemanticAggregation', in_channels=512, num_classes=20),
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
            loss_weight=0.08,  # published: 0.01 times the sum over 8 images
        ),
    ],
    align_corners=False,
    rectify='before_resize',
    flip=True,
)
tta_model = dict(type='MultiScaleCAM')
