# Spatial-BCE from tags to a segmentation model on the wide ResNet-38: a plain classifier, then
# three rounds of training, labels and foreground proportions.
stages = [
    dict(name='classifier', config='affinitynet/psa-cam_resnet38_voc12-448x448.py'),
    dict(
        name='labels0',
        config='spatial_bce/sbce-init_resnet38_voc12-448x448.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='round1',
        config='spatial_bce/sbce_resnet38_voc12-369x369.py',
        takes={
            'load_from': 'classifier.checkpoint',
            'train_dataloader.dataset.proportion_file': 'labels0.seed_crf_proportions',
        },
    ),
    dict(
        name='labels1',
        config='spatial_bce/sbce_resnet38_voc12-369x369.py',
        task='test',
        tta=True,
        takes={'load_from': 'round1.checkpoint'},
    ),
    dict(
        name='round2',
        config='spatial_bce/sbce_resnet38_voc12-369x369.py',
        takes={
            'load_from': 'round1.checkpoint',
            'train_dataloader.dataset.proportion_file': 'labels1.seed_crf_proportions',
        },
    ),
    dict(
        name='labels2',
        config='spatial_bce/sbce_resnet38_voc12-369x369.py',
        task='test',
        tta=True,
        takes={'load_from': 'round2.checkpoint'},
    ),
    dict(
        name='round3',
        config='spatial_bce/sbce_resnet38_voc12-369x369.py',
        takes={
            'load_from': 'round2.checkpoint',
            'train_dataloader.dataset.proportion_file': 'labels2.seed_crf_proportions',
        },
    ),
    dict(
        name='labels3',
        config='spatial_bce/sbce_resnet38_voc12-369x369.py',
        task='test',
        tta=True,
        takes={'load_from': 'round3.checkpoint'},
    ),
    dict(
        name='segmentor',
        config='segmentors/deeplabv3_resnet38_voc12-321x321.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels3.seed_crf'},
    ),
    dict(
        name='test',
        config='segmentors/deeplabv3_resnet38_voc12-321x321.py',
        task='test',
        tta=True,
        takes={'load_from': 'segmentor.checkpoint'},
    ),
]
