# CAMs (seed), and hard CRFs at a high and a low threshold. The classes of the former and the
# background of the latter are the confident regions of IRN.
crf = dict(type='DenseCRF', gt_prob=0.7, bilateral_weight=10, bilateral_xy=50, bilateral_rgb=5)
test_cfg = dict(
    type='PseudoLabelLoop',
    keep_scores=dict(seed=4),  # the cells of the walk
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(
            seed=dict(background=dict(type='ConstantBackground', threshold=0.15)),
            foreground=dict(
                background=dict(type='ConstantBackground', threshold=0.3), refiners=[crf]
            ),
            background=dict(
                background=dict(type='ConstantBackground', threshold=0.05), refiners=[crf]
            ),
        ),
    ),
)
test_evaluator = []
