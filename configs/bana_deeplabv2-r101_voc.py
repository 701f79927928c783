# BANA with the network of the paper's second table as the last stage, DeepLab-V2 on ResNet-101;
# initial weights only from ImageNet.
_base_ = ['./bana_voc.py']
stages = dict(
    segmentor=dict(config='bana/bana-nal_deeplabv2_r101-d8_voc12-321x321.py'),
    test=dict(config='bana/bana-nal_deeplabv2_r101-d8_voc12-321x321.py'),
)
