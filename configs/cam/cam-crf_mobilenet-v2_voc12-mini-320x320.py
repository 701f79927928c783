# Pseudo labels of the plain CAM with background (1 - max cam)^2, unchanged and refined by a CRF.
# The published alphas of 4 to 32 are too large for these broad maps.
_base_ = [
    '../_base_/models/cam_mobilenet-v2.py',
    '../_base_/datasets/voc12_mini_320.py',
    '../_base_/test_time/multi_size_cam_mini.py',
    '../_base_/schedules/mini_adamw.py',
    '../_base_/default_runtime.py',
]
test_dataloader = dict(
    dataset=dict(
        ann_file='ImageSets/Segmentation/train_small.txt', pipeline={{_base_.tta_pipeline}}
    )
)
crf = dict(type='DenseCRF', bilateral_weight=10, bilateral_xy=80, bilateral_rgb=13)
test_cfg = dict(
    type='PseudoLabelLoop',
    generator=dict(
        type='PseudoLabelGenerator',
        normalize=dict(type='MaxNormalize'),
        labels=dict(
            seed=dict(background=dict(type='PowerBackground', alpha=2)),
            seed_crf=dict(start='seed', refiners=[crf]),
        ),
    ),
)
test_evaluator = []
