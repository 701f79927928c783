# DeepLab-V2's head and three scales on MobileNetV2, plain cross entropy on one label map. Dilations
# are halved, because the stride is 16.
_base_ = [
    '../_base_/models/aspp1_mobilenet-v2.py',
    '../_base_/datasets/voc12_pseudo_mini_320.py',
    '../_base_/schedules/mini_segmentor_400.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='MultiScaleSegmentor',
    decode_head=dict(
        _delete_=True,
        type='DeepLabV2Head',
        in_channels=320,
        num_classes=21,
        dilations=(3, 6, 9, 12),
    ),
)
