# RCA as its published code has it, from tags to a segmentation model on VGG16: class branches,
# seeds of the training. Without saliency maps.
stages = [
    dict(name='classifier', config='rca/rca-branches_vgg16_voc12-368x368.py'),
    dict(
        name='labels',
        config='rca/rca-branches-labels_voc12.py',
        task='test',
        takes={'model.folder': 'classifier.training_cams'},
    ),
    dict(
        name='segmentor',
        config='segmentors/deeplabv1-largefov_vgg16_voc12-321x321.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.seed_crf'},
    ),
    dict(
        name='test',
        config='segmentors/deeplabv1-largefov_vgg16_voc12-321x321.py',
        task='test',
        tta=True,
        takes={'load_from': 'segmentor.checkpoint'},
    ),
]
