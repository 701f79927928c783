# IRN from tags to DeepLab-V2, all on ResNet-50.
stages = dict(
    classifier=dict(config='irn/irn-cam_resnet50_voc12-512x512.py'),
    seeds=dict(
        config='irn/irn-cam_resnet50_voc12-512x512.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
    boundary=dict(
        config='irn/irn-boundary_resnet50_voc12-512x512.py',
        takes={
            'train_dataloader.dataset.data_prefix.seg_map_path': 'seeds.foreground',
            'train_dataloader.dataset.data_prefix.aux_seg_map_path': 'seeds.background',
        },
    ),
    walk=dict(
        config='irn/irn-walk_resnet50_voc12.py',
        takes={
            'model.folder': 'seeds.seed_scores',
            'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'boundary.checkpoint',
        },
    ),
    segmentor=dict(
        config='segmentors/deeplabv2_r50-d8_voc12-321x321.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'walk.walk'},
    ),
    test=dict(
        config='segmentors/deeplabv2_r50-d8_voc12-321x321.py',
        task='test',
        tta=True,
        takes={'load_from': 'segmentor.checkpoint'},
    ),
)
