# AEFT, first phase: gated pyramid pooling learns only from tags.
_base_ = [
    '../_base_/models/aeft_resnet38.py',
    '../_base_/datasets/voc12_tags_320.py',
    '../_base_/schedules/aeft_warmup_23796.py',
    '../_base_/default_runtime.py',
]
model = dict(objectives=[dict(type='MultiLabelSoftMargin')])
train_dataloader = dict(batch_size=8)
test_dataloader = None
