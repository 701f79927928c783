# AffinityNet: classifier from tags on VGG16, without pooling after the last block, conv1 and conv2
# frozen, square root of the class activation maps. Its test makes seeds and confident regions from
# multi-scale CAMs (`--tta`).
_base_ = [
    '../_base_/models/cam_vgg16.py',
    '../_base_/datasets/voc12_tags_448.py',
    '../_base_/schedules/psa_classifier_9915.py',
    '../_base_/pseudo_labels/psa_confident.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(pool5=False, dropout=(0.5, 0.0), frozen_stages=2),  # dropout after fc6 only
    head=dict(dropout=0.5, init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform')),
    flip=True,
    square_root=True,
)
