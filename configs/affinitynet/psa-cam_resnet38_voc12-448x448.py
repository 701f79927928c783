# AffinityNet: classifier from tags on the wide ResNet-38; its test makes seeds and confident
# regions from multi-scale CAMs (`--tta`).
_base_ = [
    '../_base_/models/cam_resnet38.py',
    '../_base_/datasets/voc12_tags_448.py',
    '../_base_/schedules/psa_classifier_9915.py',
    '../_base_/pseudo_labels/psa_confident.py',
    '../_base_/default_runtime.py',
]
model = dict(head=dict(dropout=0.5))
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # published: 0.01 without momentum
