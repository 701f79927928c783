# MobileNetV2 at output stride 16 with 1x1 + image pooling (ASPPHead with the single rate 1), for a
# CPU. Layers 1-2 and all of the backbone's BN frozen, BN of the head trained.
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='DilatedMobileNetV2',
        strides=(1, 2, 2, 2, 1, 1, 1),
        dilations=(1, 1, 1, 1, 1, 2, 2),
        out_indices=(6,),
        frozen_stages=2,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='{{$MMWSSS_WEIGHTS:weights}}/mobilenet_v2_torchvision.pth',
        ),
    ),
    decode_head=dict(
        type='ASPPHead',
        in_channels=320,
        in_index=0,
        channels=128,
        dilations=(1,),
        num_classes=21,
        norm_cfg=dict(type='BN'),
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
