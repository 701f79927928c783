# Seeds, a CRF with background (1 - max)^4, then labels where its scores are clear.
crf = dict(type='DenseCRF', bilateral_weight=10, bilateral_xy=80, bilateral_rgb=13)
test_cfg = dict(
    type='PseudoLabelLoop',
    keep_scores=('seed',),
    generator=dict(
        type='PseudoLabelGenerator',
        normalize=dict(type='MaxNormalize'),
        labels=dict(
            seed=dict(background=dict(type='PowerBackground', alpha=4)),
            seed_crf=dict(start='seed', refiners=[crf]),
        ),
    ),
)
test_evaluator = []
