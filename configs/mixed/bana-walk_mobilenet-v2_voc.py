# Boxes to a segmentation model with parts of two methods (MobileNetV2): BANA's classifier and box
# CAMs, AffinityNet's affinities and random walk.
stages = dict(
    classifier=dict(config='../bana/bana_mobilenet-v2_voc12-mini-320x320.py'),
    confident=dict(
        config='bana-confident_mobilenet-v2_voc12-mini-320x320.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    affinity=dict(
        config='../affinitynet/psa-affinity_mobilenet-v2_voc12-mini-320x320.py',
        takes={
            'train_dataloader.dataset.data_prefix.foreground_score_path': 'confident.low_scores',
            'train_dataloader.dataset.data_prefix.background_score_path': 'confident.high_scores',
        },
    ),
    walk=dict(
        config='bana-walk_mobilenet-v2_voc12-mini-320x320.py',
        task='test',
        takes={
            'load_from': 'classifier.checkpoint',
            'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'affinity.checkpoint',
        },
    ),
    segmentor=dict(
        config='../segmentors/aspp1_mobilenet-v2_voc12-mini-320x320.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'walk.walk_crf'},
    ),
)
