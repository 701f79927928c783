# sbce-walk_mobilenet-v2_voc.py from Google's weights of MobileNetV2, as in docs/results.md.
_base_ = ['./sbce_mobilenet-v2_voc.py']
google = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    backbone=dict(
        norm_cfg=dict(type='BN', eps=1e-3),
        conv_cfg=dict(type='Conv2dAdaptivePadding'),
        init_cfg=dict(checkpoint='{{$MMWSSS_WEIGHTS:weights}}/mobilenet_v2_in1k.pth'),
    ),
)
stages = dict(
    classifier=dict(options={'model': google}),
    round1=dict(options={'model': google}),
    labels0=dict(
        options={'model': google},
        config='spatial_bce/sbce-confident_mobilenet-v2_voc12-mini-320x320.py',
    ),
    affinity=dict(
        options={'model': google},
        after='labels0',
        config='affinitynet/psa-affinity_mobilenet-v2_voc12-mini-320x320.py',
        takes={
            'train_dataloader.dataset.data_prefix.foreground_score_path': 'labels0.low_scores',
            'train_dataloader.dataset.data_prefix.background_score_path': 'labels0.high_scores',
        },
    ),
    labels1=dict(
        options={'model': google, 'test_cfg.generator.labels.walk.refiners.0.network': google},
        config='spatial_bce/sbce-walk_mobilenet-v2_voc12-mini-320x320.py',
        takes={'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'affinity.checkpoint'},
    ),
    segmentor=dict(
        options={'model': google},
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels1.walk_crf'},
    ),
)
