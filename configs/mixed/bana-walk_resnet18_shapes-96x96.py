# BANA's box CAMs (synthetic shapes), refined by the random walk of AffinityNet and kept within
# their boxes.
_base_ = [
    '../demo/bana-classifier_resnet18_shapes-96x96.py',
    '../_base_/networks/affinity-network_resnet18.py',
]
boxes = dict(type='BoxConstraint')
test_cfg = dict(
    _delete_=True,
    type='PseudoLabelLoop',
    generator=dict(
        type='PseudoLabelGenerator',
        normalize=dict(type='BoxNormalize'),
        labels=dict(
            seed=dict(
                background=dict(type='AttentionBackground', threshold=0.99),
                refiners=[dict(type='SoftmaxInBoxes')],
            ),
            walk=dict(
                start='seed',
                refiners=[
                    dict(
                        type='RandomWalk',
                        network={{_base_.affinity_network}},
                        checkpoint=None,
                        beta=8,
                        log_steps=8,
                        stride=4,
                    ),
                    boxes,
                ],
            ),
            walk_crf=dict(
                start='walk',
                refiners=[
                    dict(
                        type='DenseCRF',
                        bilateral_weight=4,
                        bilateral_xy=55,
                        bilateral_rgb=3,
                        gaussian_weight=3,
                        gaussian_xy=3,
                        iterations=10,
                    ),
                    boxes,
                ],
            ),
        ),
    ),
)
