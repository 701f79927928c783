# Labels from kept scores.
_base_ = [
    '../../../configs/_base_/datasets/shapes.py',
    '../../../configs/_base_/default_runtime.py',
]
train_dataloader = None
model = dict(type='StoredCAMs', folder='')
test_cfg = dict(
    type='PseudoLabelLoop',
    num_workers=0,
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(stored=dict(background=dict(type='ConstantBackground', threshold=0.3))),
    ),
)
test_evaluator = []
