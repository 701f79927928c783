# AEFT: random walk of the kept seeds with 64 steps (AffinityNet has 256), and a CRF of one
# iteration.
_base_ = [
    '../_base_/networks/affinity-network_resnet38.py',
    '../_base_/datasets/voc12_tags_original.py',
    '../_base_/pseudo_labels/psa_walk.py',
    '../_base_/default_runtime.py',
]
walk = dict(
    type='RandomWalk', network={{_base_.affinity_network}}, checkpoint=None, beta=8, log_steps=6
)
crf = dict(type='DenseCRF', bilateral_weight=10, bilateral_xy=80, bilateral_rgb=13, iterations=1)
model = dict(type='StoredCAMs', folder='')
test_cfg = dict(
    generator=dict(
        labels=dict(
            walk=dict(background=dict(type='PowerBackground', alpha=19), refiners=[walk]),
            walk_crf=dict(refiners=[crf]),
        )
    )
)
