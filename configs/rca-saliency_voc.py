# RCA from tags and saliency maps to a segmentation model on VGG16.
stages = [
    dict(name='classifier', config='rca/rca_vgg16_voc12-368x368.py'),
    dict(
        name='labels',
        config='rca/rca-saliency_vgg16_voc12.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='segmentor',
        config='segmentors/deeplabv1-largefov_vgg16_voc12-321x321.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.saliency'},
    ),
    dict(
        name='test',
        config='segmentors/deeplabv1-largefov_vgg16_voc12-321x321.py',
        task='test',
        tta=True,
        takes={'load_from': 'segmentor.checkpoint'},
    ),
]
