# Ablation of the paper: pixels where the two label maps differ are ignored.
_base_ = [
    '../_base_/models/deeplabv1_vgg16-largefov.py',
    '../_base_/datasets/voc12_pseudo_321.py',
    '../_base_/schedules/bana_segmentor_23805.py',
    '../_base_/test_time/multi_scale_flip_crf.py',
    '../_base_/default_runtime.py',
]
model = dict(
    decode_head=dict(
        type='NoiseAwareLargeFOVHead', loss_decode=dict(type='NoiseAwareLoss', weight=0.0)
    )
)
