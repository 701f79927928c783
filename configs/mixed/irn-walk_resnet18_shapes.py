# Kept seeds of any method (synthetic shapes), walked up to IRN's boundaries. On fixed random
# features these boundaries leak: with IRN's power, number of steps and threshold, objects would
# fill the whole image. The values here were chosen with the true masks of the shapes.
_base_ = [
    '../_base_/networks/boundary-network_resnet18.py',
    '../_base_/datasets/shapes.py',
    '../_base_/pseudo_labels/irn_walk.py',
    '../_base_/default_runtime.py',
]
walk = dict(
    type='BoundaryWalk',
    network={{_base_.boundary_network}},
    checkpoint=None,
    beta=20,
    log_steps=6,
    min_size=96,
)
model = dict(type='StoredCAMs', folder='')
train_dataloader = None
test_cfg = dict(
    generator=dict(labels=dict(walk=dict(background=dict(threshold=0.5), refiners=[walk])))
)
