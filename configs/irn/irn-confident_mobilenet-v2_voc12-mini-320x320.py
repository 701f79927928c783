# Seeds and confident regions of the plain CAM on MobileNetV2. Because its maps are broad, the
# thresholds are 0.5 and 0.3, about 0.1 above and below the best one for its seeds, which was found
# with true masks (docs/results.md).
_base_ = [
    '../_base_/models/cam_mobilenet-v2.py',
    '../_base_/datasets/voc12_mini_320.py',
    '../_base_/test_time/multi_size_cam_mini.py',
    '../_base_/pseudo_labels/irn_confident.py',
    '../_base_/default_runtime.py',
]
train_dataloader = None
test_dataloader = dict(dataset=dict(pipeline={{_base_.tta_pipeline}}))
test_cfg = dict(
    generator=dict(
        labels=dict(
            seed=dict(background=dict(threshold=0.4)),
            foreground=dict(background=dict(threshold=0.5)),
            background=dict(background=dict(threshold=0.3)),
        )
    )
)
