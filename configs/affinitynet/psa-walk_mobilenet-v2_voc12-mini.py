# Random walk of the kept seeds over the affinities of MobileNetV2. It has half the steps, another
# exponent and a weaker CRF than the paper, because the affinities of this network are less
# reliable. They were chosen on 55 images with true masks (docs/results.md).
_base_ = [
    '../_base_/networks/affinity-network_mobilenet-v2.py',
    '../_base_/datasets/voc12_tags_original_mini.py',
    '../_base_/pseudo_labels/psa_walk.py',
    '../_base_/default_runtime.py',
]
walk = dict(
    type='RandomWalk', network={{_base_.affinity_network}}, checkpoint=None, beta=8, log_steps=7
)
crf = dict(type='DenseCRF', bilateral_weight=4, bilateral_xy=55, bilateral_rgb=3)
model = dict(type='StoredCAMs', folder='')
test_cfg = dict(
    generator=dict(
        labels=dict(
            walk=dict(background=dict(type='PowerBackground', alpha=3), refiners=[walk]),
            walk_crf=dict(refiners=[crf]),
        )
    )
)
