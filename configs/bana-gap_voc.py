# Ablation of BANA's pooling: plain average pooling of the boxes.
_base_ = ['./bana_voc.py']
stages = dict(
    classifier=dict(config='bana/bana-gap_vgg16_voc12-321x321.py'),
    labels=dict(config='bana/bana-gap_vgg16_voc12-321x321.py'),
)
