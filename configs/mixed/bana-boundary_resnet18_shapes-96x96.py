# BANA's box CAMs (synthetic shapes), walked up to IRN's boundaries and kept within their boxes.
_base_ = [
    '../demo/bana-classifier_resnet18_shapes-96x96.py',
    '../_base_/networks/boundary-network_resnet18.py',
]
walk = dict(type='BoundaryWalk', network={{_base_.boundary_network}}, checkpoint=None, min_size=96)
boxes = dict(type='BoxConstraint')
test_cfg = dict(
    generator=dict(
        labels=dict(
            _delete_=True,
            walk=dict(
                background=dict(type='ConstantBackground', threshold=0.25), refiners=[walk, boxes]
            ),
        )
    )
)
