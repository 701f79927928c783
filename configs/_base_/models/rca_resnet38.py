# Classifier with a memory of regions on the wide ResNet-38 (RCA, CVPR 2022), 4096 channels reduced
# to 512.
_base_ = ['./cam_resnet38.py', './rca.py']
model = dict(
    neck=dict(type='ConcatConvNeck', in_channels=[4096], out_channels=512),
    head=dict(in_channels=1024, context={{_base_.context}}, init_cfg=None),  # PyTorch's own
    objectives={{_base_.objectives}},
)
