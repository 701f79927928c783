# DeepLab-V2 on ResNet-101 as most weakly supervised papers train and test it, plain cross entropy
# on one pseudo label map; initial weights only from ImageNet.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8.py',
    '../_base_/datasets/voc12_pseudo_deeplabv2_321.py',
    '../_base_/schedules/deeplabv2_20k.py',
    '../_base_/test_time/crf_resnet.py',
    '../_base_/default_runtime.py',
]
