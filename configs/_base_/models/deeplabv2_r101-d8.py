# DeepLab-V2 on the Caffe version of ResNet-101, three scales, stride 8, frozen normalisations.
# Initial weights from ImageNet: MSRA's Caffe model, as published by Detectron2.
model = dict(
    type='MultiScaleSegmentor',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[103.53, 116.28, 123.675],  # BGR, as these weights expect
        std=[1.0, 1.0, 1.0],
    ),
    backbone=dict(
        type='CeilPoolResNet',
        depth=101,
        style='caffe',
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        out_indices=(3,),
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://detectron2/resnet101_caffe'),
    ),
    decode_head=dict(type='DeepLabV2Head', in_channels=2048, num_classes=21),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
