# BANA's box CAMs (synthetic shapes), refined by the random walk of AffinityNet and kept within
# their boxes.
_base_ = [
    '../demo/bana-classifier_resnet18_shapes-96x96.py',
    '../_base_/networks/affinity-network_resnet18.py',
]
walk = dict(
    type='RandomWalk',
    network={{_base_.affinity_network}},
    checkpoint=None,
    beta=8,
    log_steps=8,
    stride=4,
)
crf = dict(type='DenseCRF', bilateral_weight=4, bilateral_xy=55, bilateral_rgb=3)
boxes = dict(type='BoxConstraint')
test_cfg = dict(
    generator=dict(
        labels=dict(
            _delete_=True,
            seed={{_base_.test_cfg.generator.labels.seed}},
            walk=dict(start='seed', refiners=[walk, boxes]),
            walk_crf=dict(start='walk', refiners=[crf, boxes]),
        )
    )
)
