# Like Spatial-BCE: a round trains on the proportions of the labels before it.
stages = [
    dict(name='classifier', config='tiny-warmup.py'),
    dict(
        name='labels0',
        config='tiny-warmup.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='round1',
        config='tiny-thresholds.py',
        takes={
            'load_from': 'classifier.checkpoint',
            'train_dataloader.dataset.proportion_file': 'labels0.low_proportions',
        },
    ),
    dict(
        name='labels1',
        config='tiny-thresholds.py',
        task='test',
        takes={'load_from': 'round1.checkpoint'},
    ),
]
