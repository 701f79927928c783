# Baselines without a network on the images of train.txt.
_base_ = [
    '../_base_/datasets/voc12_boxes_mini_320.py',
    '../_base_/pseudo_labels/filled_boxes_labels.py',
    '../_base_/default_runtime.py',
]
model = dict(type='FilledBoxes')
train_dataloader = None
