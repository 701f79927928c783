# Segmentation stage on MobileNetV2.
_base_ = ['../bana/bana-ce_mobilenet-v2_voc12-mini-320x320.py']
