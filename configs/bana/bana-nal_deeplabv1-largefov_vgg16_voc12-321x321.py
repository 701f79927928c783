# BANA, segmentation stage: DeepLab-LargeFOV with the noise-aware loss. Its defaults are the paper's
# temperature 20, gamma 7 and lambda 0.1.
_base_ = [
    '../_base_/models/deeplabv1_vgg16-largefov.py',
    '../_base_/datasets/voc12_pseudo_321.py',
    '../_base_/schedules/bana_segmentor_23805.py',
    '../_base_/test_time/multi_scale_flip_crf.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(type='NoiseAwareLargeFOVHead'))
