# AffinityNet from tags to a segmentation model on VGG16.
stages = [
    dict(name='classifier', config='affinitynet/psa-cam_vgg16_voc12-448x448.py'),
    dict(
        name='seeds',
        config='affinitynet/psa-cam_vgg16_voc12-448x448.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='affinity',
        config='affinitynet/psa-affinity_vgg16_voc12-448x448.py',
        takes={
            'train_dataloader.dataset.data_prefix.foreground_score_path': 'seeds.low_scores',
            'train_dataloader.dataset.data_prefix.background_score_path': 'seeds.high_scores',
        },
    ),
    dict(
        name='walk',
        config='affinitynet/psa-walk_vgg16_voc12.py',
        takes={
            'model.folder': 'seeds.seed_scores',
            'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'affinity.checkpoint',
        },
    ),
    dict(
        name='segmentor',
        config='segmentors/deeplabv1-largefov_vgg16_voc12-321x321.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'walk.walk_crf'},
    ),
    dict(
        name='test',
        config='segmentors/deeplabv1-largefov_vgg16_voc12-321x321.py',
        task='test',
        tta=True,
        takes={'load_from': 'segmentor.checkpoint'},
    ),
]
