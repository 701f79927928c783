# Plain CAM from tags on MobileNetV2: classifier, quality of the seeds at their best threshold
# (which uses ground truth), and pseudo labels with and without CRF (which do not).
stages = dict(
    classifier=dict(config='cam/cam_mobilenet-v2_voc12-mini-320x320.py'),
    seed_with_ground_truth=dict(
        config='cam/cam_mobilenet-v2_voc12-mini-320x320.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
    labels=dict(
        config='cam/cam-crf_mobilenet-v2_voc12-mini-320x320.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
)
