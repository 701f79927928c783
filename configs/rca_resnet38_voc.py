# RCA from tags to a segmentation model on the wide ResNet-38, without saliency maps.
_base_ = ['./rca_voc.py']
stages = dict(
    classifier=dict(config='rca/rca_resnet38_voc12-368x368.py'),
    labels=dict(config='rca/rca_resnet38_voc12-368x368.py'),
    segmentor=dict(config='segmentors/deeplabv3_resnet38_voc12-321x321.py'),
    test=dict(config='segmentors/deeplabv3_resnet38_voc12-321x321.py'),
)
