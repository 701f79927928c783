# Seeds of train.txt only, to compare checkpoints of the classifier with true masks as in the
# published recipe. No pipeline uses it.
_base_ = [
    '../_base_/models/aeft_resnet38.py',
    '../_base_/datasets/voc12_tags_320.py',
    '../_base_/schedules/aeft_triplet_7260.py',
    '../_base_/pseudo_labels/psa_confident.py',
    '../_base_/default_runtime.py',
]
test_dataloader = dict(dataset=dict(ann_file='ImageSets/Segmentation/train.txt'))
test_cfg = dict(
    keep_scores=('seed',),
    generator=dict(
        labels=dict(_delete_=True, seed=dict(background=dict(type='PowerBackground', alpha=19)))
    ),
)
