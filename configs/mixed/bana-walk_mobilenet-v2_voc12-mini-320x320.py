# BANA's box CAMs (MobileNetV2), refined by the random walk of AffinityNet and kept within their
# boxes.
_base_ = ['../bana/bana_mobilenet-v2_voc12-mini-320x320.py']
# The network of the affinity stage, see _base_/models/affinity_mobilenet-v2.py.
network = dict(
    type='AffinityNetwork',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone=dict(
        type='DilatedMobileNetV2',
        strides=(1, 2, 2, 1, 1, 1, 1),
        dilations=(1, 1, 1, 2, 2, 4, 4),
        out_indices=(3, 4, 6),
        frozen_stages=6,
        norm_eval=True,
        norm_cfg=dict(type='BN', eps=1e-3),
        conv_cfg=dict(type='Conv2dAdaptivePadding'),
        init_cfg=dict(
            type='Pretrained', checkpoint='{{$MMWSSS_WEIGHTS:weights}}/mobilenet_v2_in1k.pth'
        ),
    ),
    head=dict(type='AffinityHead', in_channels=(64, 96, 320), channels=(32, 64, 128)),
    radius=5,
)
boxes = dict(type='BoxConstraint')
test_cfg = dict(
    _delete_=True,
    type='PseudoLabelLoop',
    generator=dict(
        type='PseudoLabelGenerator',
        normalize=dict(type='BoxNormalize'),
        labels=dict(
            seed=dict(
                background=dict(type='AttentionBackground', threshold=0.99),
                refiners=[dict(type='SoftmaxInBoxes')],
            ),
            walk=dict(
                start='seed',
                refiners=[
                    dict(
                        type='RandomWalk',
                        network=network,
                        checkpoint=None,
                        beta=8,
                        log_steps=8,
                        stride=8,
                    ),
                    boxes,
                ],
            ),
            walk_crf=dict(
                start='walk',
                refiners=[
                    dict(
                        type='DenseCRF',
                        bilateral_weight=4,
                        bilateral_xy=55,
                        bilateral_rgb=3,
                        gaussian_weight=3,
                        gaussian_xy=3,
                        iterations=10,
                    ),
                    boxes,
                ],
            ),
        ),
    ),
)
