# BANA, classifier and pseudo labels: the paper's setting.
_base_ = [
    '../_base_/models/bap_vgg16.py',
    '../_base_/datasets/voc12_boxes_321.py',
    '../_base_/schedules/bana_classifier_8k.py',
    '../_base_/pseudo_labels/bana_labels.py',
    '../_base_/default_runtime.py',
]
