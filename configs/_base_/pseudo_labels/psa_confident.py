# CAMs (seed), and CRF results with a low and a high exponent of the background. The foreground of
# the former and the background of the latter are the confident regions of AffinityNet.
crf = dict(type='DenseCRF', bilateral_weight=10, bilateral_xy=80, bilateral_rgb=13)
test_cfg = dict(
    type='PseudoLabelLoop',
    keep_scores=dict(seed=4, low=1, high=1),  # the walk works on cells of 8 pixels
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(
            seed=dict(background=dict(type='PowerBackground', alpha=16)),
            low=dict(background=dict(type='PowerBackground', alpha=4), refiners=[crf]),
            high=dict(background=dict(type='PowerBackground', alpha=32), refiners=[crf]),
        ),
    ),
)
test_evaluator = []
