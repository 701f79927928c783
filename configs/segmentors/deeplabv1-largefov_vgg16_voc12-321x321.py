# DeepLab-LargeFOV on VGG16, plain cross entropy on one pseudo label map; also the baseline of
# BANA's loss.
_base_ = [
    '../_base_/models/deeplabv1_vgg16-largefov.py',
    '../_base_/datasets/voc12_pseudo_321.py',
    '../_base_/schedules/bana_segmentor_23805.py',
    '../_base_/test_time/multi_scale_flip_crf.py',
    '../_base_/default_runtime.py',
]
