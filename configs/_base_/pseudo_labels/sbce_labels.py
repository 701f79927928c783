# Labels from learned thresholds (the paper's rule p - t), then a CRF from hard labels, whose
# foreground proportions are kept for the next round.
crf = dict(type='DenseCRF', bilateral_weight=10, bilateral_xy=40, bilateral_rgb=5, gt_prob=0.7)
test_cfg = dict(
    type='PseudoLabelLoop',
    proportions=('seed_crf',),
    generator=dict(
        type='PseudoLabelGenerator',
        normalize=dict(type='LearnedThresholdPlanes', rule='paper'),
        labels=dict(
            seed=dict(background=dict(type='ConstantBackground', threshold=0.0)),
            seed_crf=dict(start='seed', refiners=[crf]),
        ),
    ),
)
test_evaluator = []
