# Seeds and confident regions of the plain CAM on MobileNetV2. Exponents are 1 and 4 instead of 4
# and 32, because these maps are broad.
_base_ = [
    '../_base_/models/cam_mobilenet-v2.py',
    '../_base_/datasets/voc12_mini_320.py',
    '../_base_/test_time/multi_size_cam_mini.py',
    '../_base_/schedules/mini_adamw.py',
    '../_base_/default_runtime.py',
]
test_dataloader = dict(dataset=dict(pipeline={{_base_.tta_pipeline}}))
crf = dict(type='DenseCRF', bilateral_weight=10, bilateral_xy=80, bilateral_rgb=13)
test_cfg = dict(
    type='PseudoLabelLoop',
    keep_scores=dict(seed=4, low=1, high=1),  # the walk works on cells of 8 pixels
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(
            seed=dict(background=dict(type='PowerBackground', alpha=2)),
            seed_crf=dict(background=dict(type='PowerBackground', alpha=2), refiners=[crf]),
            low=dict(background=dict(type='PowerBackground', alpha=1), refiners=[crf]),
            high=dict(background=dict(type='PowerBackground', alpha=4), refiners=[crf]),
        ),
    ),
)
test_evaluator = []
