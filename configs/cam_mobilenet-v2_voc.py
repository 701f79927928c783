# Plain CAM from tags on MobileNetV2: classifier, quality of the seeds at their best threshold
# (which uses ground truth), and pseudo labels with and without CRF (which do not).
stages = [
    dict(name='classifier', config='cam/cam_mobilenet-v2_voc12-mini-320x320.py'),
    dict(
        name='seed_with_ground_truth',
        config='cam/cam_mobilenet-v2_voc12-mini-320x320.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='labels',
        config='cam/cam-crf_mobilenet-v2_voc12-mini-320x320.py',
        task='test',
        tta=True,
        takes={'load_from': 'classifier.checkpoint'},
    ),
]
