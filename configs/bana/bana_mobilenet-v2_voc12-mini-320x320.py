# BANA, classifier and pseudo labels on MobileNetV2: 6 epochs of 677 images.
_base_ = [
    '../_base_/models/bap_mobilenet-v2.py',
    '../_base_/datasets/voc12_boxes_mini_320.py',
    '../_base_/schedules/mini_adamw.py',
    '../_base_/pseudo_labels/bana_labels.py',
    '../_base_/default_runtime.py',
]
