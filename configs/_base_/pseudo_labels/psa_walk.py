# Random walk of the seeds over learned affinities, then a CRF. A leaf puts the walk into
# `labels.walk.refiners`, because it knows the network.
crf = dict(type='DenseCRF', bilateral_weight=10, bilateral_xy=80, bilateral_rgb=13)
test_cfg = dict(
    type='PseudoLabelLoop',
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(
            walk=dict(background=dict(type='PowerBackground', alpha=16)),
            walk_crf=dict(start='walk', refiners=[crf]),
        ),
    ),
)
test_evaluator = []
