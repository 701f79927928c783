# AffinityNet from tags to a segmentation model on MobileNetV2, on two CPU cores.
stages = [
    dict(name='classifier', config='cam/cam_mobilenet-v2_voc12-mini-320x320.py'),
    dict(
        name='seeds',
        config='affinitynet/psa-confident_mobilenet-v2_voc12-mini-320x320.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='seed_with_ground_truth',
        config='affinitynet/psa-seed_voc12-mini.py',
        takes={'model.folder': 'seeds.seed_scores'},
    ),
    dict(
        name='affinity',
        config='affinitynet/psa-affinity_mobilenet-v2_voc12-mini-320x320.py',
        takes={
            'train_dataloader.dataset.data_prefix.foreground_score_path': 'seeds.low_scores',
            'train_dataloader.dataset.data_prefix.background_score_path': 'seeds.high_scores',
        },
    ),
    dict(
        name='walk',
        config='affinitynet/psa-walk_mobilenet-v2_voc12-mini.py',
        takes={
            'model.folder': 'seeds.seed_scores',
            'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'affinity.checkpoint',
        },
    ),
    dict(
        name='segmentor',
        config='segmentors/aspp1_mobilenet-v2_voc12-mini-320x320.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'walk.walk_crf'},
    ),
]
