# Classifier with a memory of regions on VGG16 (RCA, CVPR 2022): output stride 8, 512 channels, no
# fully connected layers, torchvision's poolings of 2x2.
_base_ = ['./cam_vgg16.py', './rca.py']
model = dict(
    backbone=dict(out_indices=(4,), pool_size=2, pool5=False),
    head=dict(in_channels=1024, context={{_base_.context}}),
    objectives={{_base_.objectives}},
    flip=True,
)
