# BANA from boxes to a segmentation model on MobileNetV2: less than 40 minutes on two CPU cores.
stages = [
    dict(name='classifier', config='bana/bana_mobilenet-v2_voc12-mini-320x320.py'),
    dict(
        name='labels',
        config='bana/bana_mobilenet-v2_voc12-mini-320x320.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='segmentor',
        config='bana/bana-nal_mobilenet-v2_voc12-mini-320x320.py',
        takes={
            'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.Y_crf',
            'train_dataloader.dataset.data_prefix.aux_seg_map_path': 'labels.Y_ret',
        },
    ),
]
