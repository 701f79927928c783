# BANA as in the paper's second table, with first weights that have seen the masks of COCO.
_base_ = ['./bana_voc.py']
stages = dict(
    segmentor=dict(config='bana/bana-nal_deeplabv2-coco_r101-d8_voc12-321x321.py'),
    test=dict(config='bana/bana-nal_deeplabv2-coco_r101-d8_voc12-321x321.py'),
)
