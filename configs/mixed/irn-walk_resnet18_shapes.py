# Kept seeds of any method (synthetic shapes), walked up to IRN's boundaries.
_base_ = [
    '../_base_/networks/boundary-network_resnet18.py',
    '../_base_/datasets/shapes.py',
    '../_base_/pseudo_labels/irn_walk.py',
    '../_base_/default_runtime.py',
]
walk = dict(type='BoundaryWalk', network={{_base_.boundary_network}}, checkpoint=None, min_size=96)
model = dict(type='StoredCAMs', folder='')
train_dataloader = None
test_cfg = dict(generator=dict(labels=dict(walk=dict(refiners=[walk]))))
