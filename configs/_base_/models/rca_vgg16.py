# Classifier with a memory of regions on VGG16 (RCA, CVPR 2022): output stride 8, 512 channels, no
# fully connected layers, input and 2x2 poolings as in torchvision.
_base_ = ['./cam_vgg16.py', './rca.py']
model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(
        out_indices=(4,),
        pool_size=2,
        pool5=False,
        init_cfg=dict(checkpoint='{{$MMWSSS_WEIGHTS:weights}}/vgg16_torchvision.pth'),
    ),
    head=dict(in_channels=1024, context={{_base_.context}}),
    objectives={{_base_.objectives}},
    flip=True,
)
