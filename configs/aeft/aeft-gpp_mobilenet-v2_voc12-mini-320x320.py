# AEFT on MobileNetV2 without triplets: the plain CAM with gated pyramid pooling instead of the
# mean.
_base_ = ['../cam/cam_mobilenet-v2_voc12-mini-320x320.py']
model = dict(head=dict(pooling=dict(type='GatedPyramidPooling', num_classes=20)))
