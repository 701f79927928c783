# Spatial-BCE with AffinityNet's random walk instead of IRN, on the wide ResNet-38. The affinity
# network learns from the confident regions of the first classifier, and the scores of the last
# round walk over its affinities. DeepLab-V2 on ResNet-101 is the last stage.
_base_ = ['./sbce_voc.py']
stages = dict(
    boundary=None,
    labels0=dict(config='spatial_bce/sbce-confident_resnet38_voc12-448x448.py'),
    affinity=dict(
        after='labels0',
        config='affinitynet/psa-affinity_resnet38_voc12-448x448.py',
        takes={
            'train_dataloader.dataset.data_prefix.foreground_score_path': 'labels0.low_scores',
            'train_dataloader.dataset.data_prefix.background_score_path': 'labels0.high_scores',
        },
    ),
    round1=dict(takes={'train_dataloader.dataset.proportion_file': 'labels0.low_proportions'}),
    labels3=dict(
        config='spatial_bce/sbce-walk_resnet38_voc12-369x369.py',
        takes={'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'affinity.checkpoint'},
    ),
    segmentor=dict(takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels3.walk_crf'}),
)
