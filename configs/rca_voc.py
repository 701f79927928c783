# RCA from tags to a segmentation model on VGG16, without saliency maps.
stages = dict(
    classifier=dict(config='rca/rca_vgg16_voc12-368x368.py'),
    labels=dict(
        config='rca/rca_vgg16_voc12-368x368.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
    segmentor=dict(
        config='segmentors/deeplabv1-largefov_vgg16_voc12-321x321.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.seed_crf'},
    ),
    test=dict(
        config='segmentors/deeplabv1-largefov_vgg16_voc12-321x321.py',
        task='test',
        tta=True,
        takes={'load_from': 'segmentor.checkpoint'},
    ),
)
