# AEFT on MobileNetV2: random walk of the kept seeds with AEFT's 64 steps, its CRF of one iteration,
# and the exponent of AffinityNet's walk on this network.
_base_ = [
    '../_base_/networks/affinity-network_mobilenet-v2.py',
    '../_base_/datasets/voc12_tags_original_mini.py',
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
            walk=dict(background=dict(type='PowerBackground', alpha=3), refiners=[walk]),
            walk_crf=dict(refiners=[crf]),
        )
    )
)
