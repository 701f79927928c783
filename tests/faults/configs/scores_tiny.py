# Kept scores that two stages take: an affinity network's training, and labels made from them.
stages = [
    dict(name='classifier', config='tiny-warmup.py'),
    dict(
        name='seeds',
        config='tiny-warmup.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='affinity',
        config='tiny-affinity.py',
        takes={
            'train_dataloader.dataset.data_prefix.foreground_score_path': 'seeds.low_scores',
            'train_dataloader.dataset.data_prefix.background_score_path': 'seeds.low_scores',
        },
    ),
    dict(name='stored', config='tiny-stored.py', takes={'model.folder': 'seeds.low_scores'}),
]
