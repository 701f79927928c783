# Spatial-BCE, one round on the wide ResNet-38; its test makes labels with the learned thresholds
# (`--tta`).
_base_ = [
    '../_base_/models/sbce_resnet38.py',
    '../_base_/datasets/voc12_tags_randaugment_369.py',
    '../_base_/schedules/sbce_17620.py',
    '../_base_/pseudo_labels/sbce_labels.py',
    '../_base_/default_runtime.py',
]
tta_model = dict(merge='mean_sigmoid')
