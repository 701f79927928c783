# Tags to labels with parts of three methods (synthetic shapes): seeds of RCA's contrast and
# aggregation under AEFT's gated pyramid pooling, AffinityNet's affinities and random walk.
stages = [
    dict(name='classifier', config='rca-gpp_resnet18_shapes-96x96.py'),
    dict(
        name='seeds',
        config='rca-gpp_resnet18_shapes-96x96.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='affinity',
        config='../demo/psa-affinity_resnet18_shapes-96x96.py',
        takes={
            'train_dataloader.dataset.data_prefix.foreground_score_path': 'seeds.low_scores',
            'train_dataloader.dataset.data_prefix.background_score_path': 'seeds.high_scores',
        },
    ),
    dict(
        name='walk',
        config='../demo/psa-walk_resnet18_shapes.py',
        takes={
            'model.folder': 'seeds.seed_scores',
            'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'affinity.checkpoint',
        },
    ),
]
