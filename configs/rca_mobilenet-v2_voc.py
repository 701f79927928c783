# RCA from tags to a segmentation model on MobileNetV2, on two CPU cores.
stages = [
    dict(name='classifier', config='rca/rca_mobilenet-v2_voc12-mini-320x320.py'),
    dict(
        name='labels',
        config='rca/rca-labels_mobilenet-v2_voc12-mini-320x320.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='segmentor',
        config='segmentors/aspp1_mobilenet-v2_voc12-mini-320x320.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.seed_crf'},
    ),
]
