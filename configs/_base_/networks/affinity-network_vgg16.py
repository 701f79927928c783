# Affinity network on VGG16: 64, 128 and 256 channels of conv4_3, conv5_3 and fc7, each with group
# normalisation.
affinity_network = dict(
    type='AffinityNetwork',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[104.008, 116.669, 122.675],  # BGR, as the Caffe weights expect
        std=[1.0, 1.0, 1.0],
    ),
    backbone=dict(
        type='VGG16DeepLab',
        fc6_dilation=4,
        pool5=False,
        dropout=(0.5, 0.0),  # after fc6 only
        frozen_stages=2,
        out_indices=(3, 4, 5),
        init_cfg=dict(
            type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/vgg16_deeplab.pth'
        ),
    ),
    head=dict(
        type='AffinityHead',
        in_channels=(512, 512, 1024),
        channels=(64, 128, 256),
        norm_groups=(8, 16, 32),
    ),
    radius=5,
)
