# DeepLab-V2 on ResNet-50, otherwise as on ResNet-101.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8.py',
    '../_base_/datasets/voc12_pseudo_deeplabv2_321.py',
    '../_base_/schedules/deeplabv2_20k.py',
    '../_base_/test_time/crf_resnet.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(depth=50, init_cfg=dict(checkpoint='open-mmlab://detectron2/resnet50_caffe'))
)
