# Spatial-BCE from tags to a segmentation model on MobileNetV2, one round, on two CPU cores.
stages = [
    dict(name='classifier', config='cam/cam_mobilenet-v2_voc12-mini-320x320.py'),
    dict(
        name='labels0',
        config='spatial_bce/sbce-init_mobilenet-v2_voc12-mini-320x320.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='round1',
        config='spatial_bce/sbce_mobilenet-v2_voc12-mini-320x320.py',
        takes={
            'load_from': 'classifier.checkpoint',
            'train_dataloader.dataset.proportion_file': 'labels0.seed_crf_proportions',
        },
    ),
    dict(
        name='labels1',
        config='spatial_bce/sbce_mobilenet-v2_voc12-mini-320x320.py',
        task='test',
        tta=True,
        takes={'load_from': 'round1.checkpoint'},
    ),
    dict(
        name='segmentor',
        config='segmentors/aspp1_mobilenet-v2_voc12-mini-320x320.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels1.seed_crf'},
    ),
]
