# IRN: classifier from tags on ResNet-50; its test makes seeds and confident regions from
# multi-scale CAMs (`--tta`).
_base_ = [
    '../_base_/models/cam_resnet50.py',
    '../_base_/datasets/voc12_tags_512.py',
    '../_base_/schedules/irn_classifier_3305.py',
    '../_base_/pseudo_labels/irn_confident.py',
    '../_base_/default_runtime.py',
]
