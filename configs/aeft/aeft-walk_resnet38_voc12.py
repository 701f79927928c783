# AEFT: random walk of the kept seeds, 64 steps where AffinityNet has 256.
_base_ = [
    '../_base_/models/affinity_resnet38.py',
    '../_base_/datasets/voc12_tags_original.py',
    '../_base_/pseudo_labels/psa_walk.py',
    '../_base_/default_runtime.py',
]
walk = dict(
    type='RandomWalk', network={{_base_.model}}, checkpoint=None, beta=8, log_steps=6, stride=8
)
model = dict(_delete_=True, type='StoredCAMs', folder='')
test_cfg = dict(
    generator=dict(
        labels=dict(walk=dict(background=dict(type='PowerBackground', alpha=19), refiners=[walk]))
    )
)
