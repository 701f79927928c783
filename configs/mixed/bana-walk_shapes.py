# Boxes to a segmentation model with parts of two methods (synthetic shapes): BANA's classifier and
# box CAMs, AffinityNet's affinities and random walk.
stages = dict(
    classifier=dict(config='../demo/bana-classifier_resnet18_shapes-96x96.py'),
    confident=dict(
        config='bana-confident_resnet18_shapes-96x96.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    affinity=dict(
        config='../demo/psa-affinity_resnet18_shapes-96x96.py',
        takes={
            'train_dataloader.dataset.data_prefix.foreground_score_path': 'confident.low_scores',
            'train_dataloader.dataset.data_prefix.background_score_path': 'confident.high_scores',
        },
    ),
    walk=dict(
        config='bana-walk_resnet18_shapes-96x96.py',
        task='test',
        takes={
            'load_from': 'classifier.checkpoint',
            'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'affinity.checkpoint',
        },
    ),
    segmentor=dict(
        config='../demo/psa-ce_resnet18_shapes-96x96.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'walk.walk_crf'},
    ),
)
