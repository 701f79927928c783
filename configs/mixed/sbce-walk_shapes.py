# Tags to labels with parts of two methods (synthetic shapes). The labels of a plain classifier give
# the foreground proportions, from which Spatial-BCE learns, and the confident regions, from which
# the affinity network learns. The seeds of the former walk over the affinities of the latter.
stages = dict(
    classifier=dict(config='../demo/psa-cam_resnet18_shapes-96x96.py'),
    labels0=dict(
        config='../demo/psa-cam_resnet18_shapes-96x96.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    affinity=dict(
        config='../demo/psa-affinity_resnet18_shapes-96x96.py',
        takes={
            'train_dataloader.dataset.data_prefix.foreground_score_path': 'labels0.low_scores',
            'train_dataloader.dataset.data_prefix.background_score_path': 'labels0.high_scores',
        },
    ),
    round1=dict(
        config='sbce-gap_resnet18_shapes-96x96.py',
        takes={
            'load_from': 'classifier.checkpoint',
            'train_dataloader.dataset.proportion_file': 'labels0.low_proportions',
        },
    ),
    walk=dict(
        config='sbce-walk_resnet18_shapes-96x96.py',
        task='test',
        tta=True,
        takes={
            'load_from': 'round1.checkpoint',
            'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'affinity.checkpoint',
        },
    ),
)
