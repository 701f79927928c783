# Random walk of the seeds over learned affinities, then a CRF. A leaf puts the walk into
# `labels.walk.refiners`, because it knows the network.
test_cfg = dict(
    type='PseudoLabelLoop',
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(
            walk=dict(background=dict(type='PowerBackground', alpha=16)),
            walk_crf=dict(
                start='walk',
                refiners=[
                    dict(
                        type='DenseCRF',
                        bilateral_weight=10,
                        bilateral_xy=80,
                        bilateral_rgb=13,
                        gaussian_weight=3,
                        gaussian_xy=3,
                        iterations=10,
                    )
                ],
            ),
        ),
    ),
)
test_evaluator = []
