# BANA from boxes to a segmentation model, the paper's setting: VGG16, DeepLab-LargeFOV with the
# noise-aware loss, test with four scales, flip and CRF.
stages = dict(
    classifier=dict(config='bana/bana_vgg16_voc12-321x321.py'),
    labels=dict(
        config='bana/bana_vgg16_voc12-321x321.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    segmentor=dict(
        config='bana/bana-nal_deeplabv1-largefov_vgg16_voc12-321x321.py',
        takes={
            'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.Y_crf',
            'train_dataloader.dataset.data_prefix.aux_seg_map_path': 'labels.Y_ret',
        },
    ),
    test=dict(
        config='bana/bana-nal_deeplabv1-largefov_vgg16_voc12-321x321.py',
        task='test',
        tta=True,
        takes={'load_from': 'segmentor.checkpoint'},
    ),
)
