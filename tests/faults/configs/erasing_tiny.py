# Like AEFT: the second training starts from the weights of the first.
stages = [
    dict(name='warmup', config='tiny-warmup.py'),
    dict(
        name='classifier',
        config='tiny-erasing.py',
        takes={'load_from': 'warmup.checkpoint'},
    ),
    dict(
        name='labels',
        config='tiny-erasing.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='segmentor',
        config='tiny-segmentor.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.low'},
    ),
]
