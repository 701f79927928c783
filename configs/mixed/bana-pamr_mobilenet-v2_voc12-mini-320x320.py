# BANA's labels from boxes (MobileNetV2), with the colours of neighbouring pixels (PAMR) instead of
# the CRF.
_base_ = ['../bana/bana_mobilenet-v2_voc12-mini-320x320.py']
pamr = dict(type='PixelAdaptiveRefinement', scale=0.5)
labels = dict(Y_crf=dict(refiners=[pamr, dict(type='BoxConstraint')]))
test_cfg = dict(generator=dict(labels=labels))
