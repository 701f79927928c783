# RCA as the published labels were made, from tags and saliency maps: class branches, seeds kept in
# training, saliency, and DeepLab-V2 on ResNet-101 as the last stage.
_base_ = ['./rca-branches_voc.py']
stages = dict(
    labels=dict(config='rca/rca-branches-saliency_voc12.py'),
    segmentor=dict(
        config='segmentors/deeplabv2_r101-d8_voc12-321x321.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.saliency'},
    ),
    test=dict(config='segmentors/deeplabv2_r101-d8_voc12-321x321.py'),
)
