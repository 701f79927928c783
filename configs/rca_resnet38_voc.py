# RCA from tags to a segmentation model on the wide ResNet-38, without saliency maps.
stages = [
    dict(name='classifier', config='rca/rca_resnet38_voc12-368x368.py'),
    dict(
        name='labels',
        config='rca/rca_resnet38_voc12-368x368.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='segmentor',
        config='segmentors/deeplabv3_resnet38_voc12-321x321.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.seed_crf'},
    ),
    dict(
        name='test',
        config='segmentors/deeplabv3_resnet38_voc12-321x321.py',
        task='test',
        tta=True,
        takes={'load_from': 'segmentor.checkpoint'},
    ),
]
