# Ablation of the paper: plain average pooling of the boxes, because no image ever has enough
# background for attention.
_base_ = [
    '../_base_/models/cam_vgg16.py',
    '../_base_/datasets/voc12_boxes_321.py',
    '../_base_/schedules/bana_classifier_8k.py',
    '../_base_/pseudo_labels/bana_labels.py',
    '../_base_/default_runtime.py',
]
model = dict(
    head=dict(pooling=dict(type='BackgroundAwarePooling', grid_size=4, bins=2, min_background=1.0)),
    objectives=[dict(type='RegionCrossEntropy')],
    align_corners=True,
    rectify='after_resize',
)
