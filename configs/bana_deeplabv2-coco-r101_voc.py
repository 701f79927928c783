# BANA as in the paper's second table, with initial weights that were trained on the masks of COCO.
_base_ = ['./bana_voc.py']
stages = dict(
    segmentor=dict(config='bana/bana-nal_deeplabv2-coco_r101-d8_voc12-321x321.py'),
    test=dict(config='bana/bana-nal_deeplabv2-coco_r101-d8_voc12-321x321.py'),
)
