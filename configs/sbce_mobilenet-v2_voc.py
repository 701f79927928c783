# Spatial-BCE from tags to a segmentation model on MobileNetV2, one round, on two CPU cores. The
# labels of the round are not refined further.
_base_ = ['./sbce_voc.py']
stages = dict(
    classifier=dict(config='cam/cam_mobilenet-v2_voc12-mini-320x320.py'),
    labels0=dict(config='spatial_bce/sbce-init_mobilenet-v2_voc12-mini-320x320.py'),
    boundary=None,
    round1=dict(config='spatial_bce/sbce_mobilenet-v2_voc12-mini-320x320.py'),
    labels1=dict(config='spatial_bce/sbce_mobilenet-v2_voc12-mini-320x320.py'),
    round2=None,
    labels2=None,
    round3=None,
    labels3=None,
    segmentor=dict(
        config='segmentors/aspp1_mobilenet-v2_voc12-mini-320x320.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels1.seed_crf'},
    ),
    test=None,
)
