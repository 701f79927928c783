# Ablation of BANA's loss: pixels where the two label maps differ are ignored.
_base_ = ['./bana_voc.py']
stages = dict(
    segmentor=dict(config='bana/bana-ignore_deeplabv1-largefov_vgg16_voc12-321x321.py'),
    test=dict(config='bana/bana-ignore_deeplabv1-largefov_vgg16_voc12-321x321.py'),
)
