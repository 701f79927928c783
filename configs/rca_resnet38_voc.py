# RCA from tags to labels on the wide ResNet-38, without saliency maps; DeepLab-V2 on ResNet-101 as
# the last stage.
_base_ = ['./rca_voc.py']
stages = dict(
    classifier=dict(config='rca/rca_resnet38_voc12-368x368.py'),
    labels=dict(config='rca/rca_resnet38_voc12-368x368.py'),
    segmentor=dict(config='segmentors/deeplabv2_r101-d8_voc12-321x321.py'),
    test=dict(config='segmentors/deeplabv2_r101-d8_voc12-321x321.py'),
)
