# Spatial-BCE with a random walk on MobileNetV2, one round, on two CPU cores.
_base_ = ['./sbce_mobilenet-v2_voc.py']
stages = dict(
    labels0=dict(config='spatial_bce/sbce-confident_mobilenet-v2_voc12-mini-320x320.py'),
    affinity=dict(
        after='labels0',
        config='affinitynet/psa-affinity_mobilenet-v2_voc12-mini-320x320.py',
        takes={
            'train_dataloader.dataset.data_prefix.foreground_score_path': 'labels0.low_scores',
            'train_dataloader.dataset.data_prefix.background_score_path': 'labels0.high_scores',
        },
    ),
    labels1=dict(
        config='spatial_bce/sbce-walk_mobilenet-v2_voc12-mini-320x320.py',
        takes={'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'affinity.checkpoint'},
    ),
    segmentor=dict(takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels1.walk_crf'}),
)
