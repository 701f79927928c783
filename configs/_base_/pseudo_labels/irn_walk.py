# Walk of the seeds up to learned boundaries, then a CRF. The scores of the walk are kept, so that
# its threshold can be chosen later. A leaf puts the walk into `labels.walk.refiners`, because it
# knows the network.
crf = dict(type='DenseCRF', gt_prob=0.7, bilateral_weight=10, bilateral_xy=50, bilateral_rgb=5)
test_cfg = dict(
    type='PseudoLabelLoop',
    keep_scores=('walk',),
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(
            walk=dict(background=dict(type='ConstantBackground', threshold=0.25)),
            walk_crf=dict(start='walk', refiners=[crf]),
        ),
    ),
)
test_evaluator = []
