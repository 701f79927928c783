# AffinityNet: random walk of the kept seeds over the affinities of VGG16.
_base_ = [
    '../_base_/networks/affinity-network_vgg16.py',
    '../_base_/datasets/voc12_tags_original.py',
    '../_base_/pseudo_labels/psa_walk.py',
    '../_base_/default_runtime.py',
]
walk = dict(
    type='RandomWalk', network={{_base_.affinity_network}}, checkpoint=None, beta=8, log_steps=8
)
model = dict(type='StoredCAMs', folder='')
test_cfg = dict(generator=dict(labels=dict(walk=dict(refiners=[walk]))))
