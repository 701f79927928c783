# Seeds and confident regions of AEFT on MobileNetV2, with the exponents of the plain CAM.
_base_ = ['../affinitynet/psa-confident_mobilenet-v2_voc12-mini-320x320.py']
model = dict(head=dict(pooling=dict(type='GatedPyramidPooling', num_classes=20)))
