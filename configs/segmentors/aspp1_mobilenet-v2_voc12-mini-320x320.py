# 1x1 and image pooling on MobileNetV2, plain cross entropy on one label map, pseudo or true:
# minutes on a CPU.
_base_ = [
    '../_base_/models/aspp1_mobilenet-v2.py',
    '../_base_/datasets/voc12_pseudo_mini_320.py',
    '../_base_/schedules/mini_segmentor_400.py',
    '../_base_/default_runtime.py',
]
# PyTorch's own scale for a 1x1 convolution of 128 channels. With the usual N(0, 0.01), a schedule
# of 400 iterations ends before the rare classes are learned.
model = dict(
    decode_head=dict(init_cfg=dict(type='Normal', std=0.05, override=dict(name='conv_seg')))
)
