# Labels of RCA on VGG16 with saliency maps.
_base_ = [
    '../_base_/models/rca_vgg16.py',
    '../_base_/datasets/voc12_tags_368.py',
    '../_base_/pseudo_labels/rca_saliency_labels.py',
    '../_base_/default_runtime.py',
]
train_dataloader = None
