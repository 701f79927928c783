# IRN: walk of the kept seeds up to the boundaries of ResNet-50.
_base_ = [
    '../_base_/networks/boundary-network_resnet50.py',
    '../_base_/datasets/voc12_tags_original.py',
    '../_base_/pseudo_labels/irn_walk.py',
    '../_base_/default_runtime.py',
]
walk = dict(
    type='BoundaryWalk',
    network={{_base_.boundary_network}},
    checkpoint=None,
    radius=5,
    beta=10,
    log_steps=8,
    min_size=512,
)
model = dict(type='StoredCAMs', folder='')
test_cfg = dict(generator=dict(labels=dict(walk=dict(refiners=[walk]))))
