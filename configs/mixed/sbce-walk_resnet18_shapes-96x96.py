# Seeds by learned thresholds (Spatial-BCE), refined by the random walk of AffinityNet (synthetic
# shapes).
_base_ = ['./sbce-gap_resnet18_shapes-96x96.py', '../_base_/networks/affinity-network_resnet18.py']
walk = dict(
    type='RandomWalk',
    network={{_base_.affinity_network}},
    checkpoint=None,
    beta=8,
    log_steps=5,
    stride=4,
)
test_cfg = dict(generator=dict(labels=dict(walk=dict(start='seed', refiners=[walk]))))
