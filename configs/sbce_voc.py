# Spatial-BCE from tags to a segmentation model. On the wide ResNet-38, a classifier of the rounds'
# architecture comes first, then three rounds of training, labels and foreground proportions. As in
# the paper, IRN refines the labels of the last round. DeepLab-V2 on ResNet-101 is the last stage.
stages = dict(
    classifier=dict(config='spatial_bce/sbce-init_resnet38_voc12-448x448.py'),
    labels0=dict(
        config='spatial_bce/sbce-boundary-confident_resnet38_voc12-448x448.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
    boundary=dict(
        config='irn/irn-boundary_resnet50_voc12-512x512.py',
        takes={
            'train_dataloader.dataset.data_prefix.seg_map_path': 'labels0.foreground',
            'train_dataloader.dataset.data_prefix.aux_seg_map_path': 'labels0.background',
        },
    ),
    round1=dict(
        config='spatial_bce/sbce_resnet38_voc12-369x369.py',
        takes={
            'load_from': 'classifier.checkpoint',
            'train_dataloader.dataset.proportion_file': 'labels0.seed_crf_proportions',
        },
    ),
    labels1=dict(
        config='spatial_bce/sbce_resnet38_voc12-369x369.py',
        task='test',
        tta=True,
        takes={'load_from': 'round1.checkpoint'},
    ),
    round2=dict(
        config='spatial_bce/sbce_resnet38_voc12-369x369.py',
        takes={
            'load_from': 'round1.checkpoint',
            'train_dataloader.dataset.proportion_file': 'labels1.seed_crf_proportions',
        },
    ),
    labels2=dict(
        config='spatial_bce/sbce_resnet38_voc12-369x369.py',
        task='test',
        tta=True,
        takes={'load_from': 'round2.checkpoint'},
    ),
    round3=dict(
        config='spatial_bce/sbce_resnet38_voc12-369x369.py',
        takes={
            'load_from': 'round2.checkpoint',
            'train_dataloader.dataset.proportion_file': 'labels2.seed_crf_proportions',
        },
    ),
    labels3=dict(
        config='spatial_bce/sbce-boundary_resnet38_voc12-369x369.py',
        task='test',
        tta=True,
        takes={
            'load_from': 'round3.checkpoint',
            'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'boundary.checkpoint',
        },
    ),
    segmentor=dict(
        config='segmentors/deeplabv2_r101-d8_voc12-321x321.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels3.walk'},
    ),
    test=dict(
        config='segmentors/deeplabv2_r101-d8_voc12-321x321.py',
        task='test',
        tta=True,
        takes={'load_from': 'segmentor.checkpoint'},
    ),
)
