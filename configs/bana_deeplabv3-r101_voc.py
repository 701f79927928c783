# BANA with DeepLabV3 on ResNet-101 as the last stage.
_base_ = ['./bana_voc.py']
stages = dict(
    segmentor=dict(config='bana/bana-nal_deeplabv3_r101-d8_voc12-321x321.py'),
    test=dict(config='bana/bana-nal_deeplabv3_r101-d8_voc12-321x321.py'),
)
