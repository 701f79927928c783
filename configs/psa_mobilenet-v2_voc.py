# AffinityNet from tags to a segmentation model on MobileNetV2, on two CPU cores. It also measures
# the seeds at their best threshold, which uses ground truth.
_base_ = ['./psa_voc.py']
stages = dict(
    classifier=dict(config='cam/cam_mobilenet-v2_voc12-mini-320x320.py'),
    seeds=dict(config='affinitynet/psa-confident_mobilenet-v2_voc12-mini-320x320.py'),
    seed_with_ground_truth=dict(
        after='seeds',
        config='affinitynet/psa-seed_voc12-mini.py',
        takes={'model.folder': 'seeds.seed_scores'},
    ),
    affinity=dict(config='affinitynet/psa-affinity_mobilenet-v2_voc12-mini-320x320.py'),
    walk=dict(config='affinitynet/psa-walk_mobilenet-v2_voc12-mini.py'),
    segmentor=dict(config='segmentors/aspp1_mobilenet-v2_voc12-mini-320x320.py'),
    test=None,
)
