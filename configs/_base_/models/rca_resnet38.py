# Classifier with a memory of regions on the wide ResNet-38 (RCA, CVPR 2022), 4096 channels reduced
# to 512.
_base_ = ['./rca_vgg16.py']
model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(
        _delete_=True,
        type='ResNet38',
        out_indices=(2,),
        init_cfg=dict(type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/resnet38.pth'),
    ),
    neck=dict(type='ConcatConvNeck', in_channels=[4096], out_channels=512),
)
