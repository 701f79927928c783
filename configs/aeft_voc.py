# AEFT from tags to a segmentation model on the wide ResNet-38.
stages = [
    dict(name='warmup', config='aeft/aeft-warmup_resnet38_voc12-320x320.py'),
    dict(
        name='classifier',
        config='aeft/aeft_resnet38_voc12-320x320.py',
        takes={'load_from': 'warmup.checkpoint'},
    ),
    dict(
        name='seeds',
        config='aeft/aeft_resnet38_voc12-320x320.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='affinity',
        config='aeft/aeft-affinity_resnet38_voc12-448x448.py',
        takes={
            'train_dataloader.dataset.data_prefix.foreground_score_path': 'seeds.low_scores',
            'train_dataloader.dataset.data_prefix.background_score_path': 'seeds.high_scores',
        },
    ),
    dict(
        name='walk',
        config='aeft/aeft-walk_resnet38_voc12.py',
        takes={
            'model.folder': 'seeds.seed_scores',
            'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'affinity.checkpoint',
        },
    ),
    dict(
        name='segmentor',
        config='segmentors/deeplabv1-largefov_resnet38_voc12-321x321.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'walk.walk_crf'},
    ),
    dict(
        name='test',
        config='segmentors/deeplabv1-largefov_resnet38_voc12-321x321.py',
        task='test',
        tta=True,
        takes={'load_from': 'segmentor.checkpoint'},
    ),
]
