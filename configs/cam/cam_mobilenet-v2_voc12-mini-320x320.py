# Plain CAM from tags: average pooling, multi-label soft margin, MobileNetV2 frozen up to its last
# layer. The test sweeps the background threshold over CAMs of four sizes, which uses ground truth.
_base_ = [
    '../_base_/models/cam_mobilenet-v2.py',
    '../_base_/datasets/voc12_mini_320.py',
    '../_base_/test_time/multi_size_cam_mini.py',
    '../_base_/schedules/mini_adamw.py',
    '../_base_/default_runtime.py',
]
tta_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(
        type='TestTimeAug',
        transforms=[
            {{_base_.sizes}},
            [dict(type='LoadAnnotations')],
            [dict(type='PackWeakInputs')],
        ],
    ),
]
test_dataloader = dict(
    dataset=dict(ann_file='ImageSets/Segmentation/train_small.txt', pipeline=tta_pipeline)
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='SeedIoUWithGroundTruth')
