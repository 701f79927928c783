# Before the first round: labels of a plain classifier, for their foreground proportions.
_base_ = [
    '../_base_/models/cam_resnet38.py',
    '../_base_/datasets/voc12_tags_448.py',
    '../_base_/schedules/psa_classifier_9915.py',
    '../_base_/pseudo_labels/psa_confident.py',
    '../_base_/default_runtime.py',
]
model = dict(head=dict(dropout=0.5))
seed_crf = dict(background=dict(type='PowerBackground', alpha=4), refiners=[{{_base_.crf}}])
test_cfg = dict(
    keep_scores=(),
    proportions=('seed_crf',),
    generator=dict(labels=dict(_delete_=True, seed_crf=seed_crf)),
)
