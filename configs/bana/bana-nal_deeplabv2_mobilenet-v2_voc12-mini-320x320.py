# Segmentation stage with the noise-aware loss and the head of BANA's ResNet-101 on MobileNetV2.
# Dilations are halved, because the stride is 16.
_base_ = [
    '../_base_/models/aspp1_mobilenet-v2.py',
    '../_base_/datasets/voc12_pseudo_mini_320.py',
    '../_base_/schedules/mini_segmentor_400.py',
    '../_base_/default_runtime.py',
]
model = dict(
    decode_head=dict(
        _delete_=True,
        type='NoiseAwareDeepLabV2Head',
        in_channels=320,
        num_classes=21,
        dilations=(3, 6, 9, 12),
    ),
)
