# AffinityNet on synthetic shapes: random walk of the kept seeds.
_base_ = [
    '../_base_/networks/affinity-network_resnet18.py',
    '../_base_/datasets/shapes.py',
    '../_base_/pseudo_labels/psa_walk.py',
    '../_base_/default_runtime.py',
]
walk = dict(
    type='RandomWalk',
    network={{_base_.affinity_network}},
    checkpoint=None,
    beta=8,
    log_steps=8,
    stride=4,
)
model = dict(type='StoredCAMs', folder='')
train_dataloader = None
test_cfg = dict(
    generator=dict(
        labels=dict(walk=dict(background=dict(type='PowerBackground', alpha=2), refiners=[walk]))
    )
)
