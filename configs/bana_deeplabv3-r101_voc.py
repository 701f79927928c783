# BANA from boxes to a segmentation model, last stage DeepLabV3 on ResNet-101 with the noise-aware
# loss, test with four scales, flip and CRF.
stages = [
    dict(name='classifier', config='bana/bana_vgg16_voc12-321x321.py'),
    dict(
        name='labels',
        config='bana/bana_vgg16_voc12-321x321.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='segmentor',
        config='bana/bana-nal_deeplabv3_r101-d8_voc12-321x321.py',
        takes={
            'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.Y_crf',
            'train_dataloader.dataset.data_prefix.aux_seg_map_path': 'labels.Y_ret',
        },
    ),
    dict(
        name='test',
        config='bana/bana-nal_deeplabv3_r101-d8_voc12-321x321.py',
        task='test',
        tta=True,
        takes={'load_from': 'segmentor.checkpoint'},
    ),
]
