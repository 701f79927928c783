# Seeds of train.txt alone, to compare checkpoints of the classifier with true masks as the
# published recipe does. No pipeline uses it.
_base_ = ['./aeft_resnet38_voc12-320x320.py']
test_dataloader = dict(dataset=dict(ann_file='ImageSets/Segmentation/train.txt'))
test_cfg = dict(
    keep_scores=('seed',),
    generator=dict(
        labels=dict(_delete_=True, seed=dict(background=dict(type='PowerBackground', alpha=19)))
    ),
)
