# mmseg's DeepLabV3 on ResNet-101, plain cross entropy on one pseudo label map.
_base_ = [
    '../_base_/models/deeplabv3_r101-d8.py',
    '../_base_/datasets/voc12_pseudo_321.py',
    '../_base_/schedules/bana_segmentor_20k.py',
    '../_base_/test_time/multi_scale_flip_crf_resnet.py',
    '../_base_/default_runtime.py',
]
train_dataloader = dict(batch_size=10)
