# Quality of the kept seeds at their best threshold, which uses ground truth.
_base_ = ['../_base_/datasets/voc12_tags_original_mini.py', '../_base_/default_runtime.py']
model = dict(type='StoredCAMs', folder='')
test_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(type='LoadWeakAnnotations'),
            dict(type='LoadAnnotations'),
            dict(type='PackWeakInputs'),
        ]
    )
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='SeedIoUWithGroundTruth')
