# Boxes for an affinity network (MobileNetV2): confident regions from BANA's box CAMs. Foreground
# must survive a CRF with a strong background, and background a CRF with a weak background.
_base_ = ['../bana/bana_mobilenet-v2_voc12-mini-320x320.py']
crf = dict(type='DenseCRF', bilateral_weight=4, bilateral_xy=55, bilateral_rgb=3)
boxes = dict(type='BoxConstraint')
test_cfg = dict(
    keep_scores=('low', 'high'),
    generator=dict(
        labels=dict(
            _delete_=True,
            low=dict(background=dict(type='PowerBackground', alpha=1), refiners=[crf, boxes]),
            high=dict(background=dict(type='PowerBackground', alpha=4), refiners=[crf, boxes]),
        )
    ),
)
