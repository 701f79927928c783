# All of AffinityNet on synthetic shapes, from tags to a segmentation model.
stages = dict(
    classifier=dict(config='psa-cam_resnet18_shapes-96x96.py'),
    seeds=dict(
        config='psa-cam_resnet18_shapes-96x96.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    affinity=dict(
        config='psa-affinity_resnet18_shapes-96x96.py',
        takes={
            'train_dataloader.dataset.data_prefix.foreground_score_path': 'seeds.low_scores',
            'train_dataloader.dataset.data_prefix.background_score_path': 'seeds.high_scores',
        },
    ),
    walk=dict(
        config='psa-walk_resnet18_shapes.py',
        takes={
            'model.folder': 'seeds.seed_scores',
            'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'affinity.checkpoint',
        },
    ),
    segmentor=dict(
        config='psa-ce_resnet18_shapes-96x96.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'walk.walk_crf'},
    ),
)
