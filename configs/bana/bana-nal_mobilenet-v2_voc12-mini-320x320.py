# Segmentation stage with the noise-aware loss on MobileNetV2: minutes on a CPU.
_base_ = [
    '../_base_/models/aspp1_mobilenet-v2.py',
    '../_base_/datasets/voc12_pseudo_mini_320.py',
    '../_base_/schedules/mini_segmentor_400.py',
    '../_base_/default_runtime.py',
]
model = dict(
    decode_head=dict(
        type='NoiseAwareASPPHead',
        loss_decode=dict(_delete_=True, type='NoiseAwareLoss'),
    ),
)
