# RCA on the wide ResNet-38: tags, contrast with a memory of regions, aggregation. Its test
# makes labels from multi-scale CAMs (`--tta`), without saliency maps.
_base_ = [
    '../_base_/models/rca_resnet38.py',
    '../_base_/datasets/voc12_tags_368.py',
    '../_base_/schedules/rca_39690.py',
    '../_base_/pseudo_labels/rca_labels.py',
    '../_base_/default_runtime.py',
]
