# AEFT from tags to a segmentation model on the wide ResNet-38.
stages = dict(
    warmup=dict(config='aeft/aeft-warmup_resnet38_voc12-320x320.py'),
    classifier=dict(
        config='aeft/aeft_resnet38_voc12-320x320.py',
        takes={'load_from': 'warmup.checkpoint'},
    ),
    seeds=dict(
        config='aeft/aeft_resnet38_voc12-320x320.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
    affinity=dict(
        config='affinitynet/psa-affinity_resnet38_voc12-448x448.py',
        takes={
            'train_dataloader.dataset.data_prefix.foreground_score_path': 'seeds.low_scores',
            'train_dataloader.dataset.data_prefix.background_score_path': 'seeds.high_scores',
        },
    ),
    walk=dict(
        config='aeft/aeft-walk_resnet38_voc12.py',
        takes={
            'model.folder': 'seeds.seed_scores',
            'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'affinity.checkpoint',
        },
    ),
    segmentor=dict(
        config='segmentors/deeplabv1-largefov_resnet38_voc12-321x321.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'walk.walk_crf'},
    ),
    test=dict(
        config='segmentors/deeplabv1-largefov_resnet38_voc12-321x321.py',
        task='test',
        tta=True,
        takes={'load_from': 'segmentor.checkpoint'},
    ),
)
