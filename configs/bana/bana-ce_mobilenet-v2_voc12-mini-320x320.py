# Segmentation stage with plain cross entropy on one label map, pseudo or true, on MobileNetV2.
_base_ = [
    '../_base_/models/aspp1_mobilenet-v2.py',
    '../_base_/datasets/voc12_pseudo_mini_320.py',
    '../_base_/schedules/mini_segmentor_400.py',
    '../_base_/default_runtime.py',
]
