# bana_mobilenet-v2 with plain average pooling of the boxes: no image ever has enough background
# for attention.
_base_ = ['./bana_mobilenet-v2_voc12-mini-320x320.py']
model = dict(head=dict(pooling=dict(min_background=1.0)))
