# Filled boxes, as they are and refined by a CRF from hard labels: the baselines without a network.
test_cfg = dict(
    type='PseudoLabelLoop',
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(
            filled=dict(background=dict(type='ConstantBackground', threshold=0.5)),
            filled_crf=dict(
                start='filled',
                refiners=[
                    dict(
                        type='DenseCRF',
                        bilateral_weight=4,
                        bilateral_xy=55,
                        bilateral_rgb=3,
                        gaussian_weight=3,
                        gaussian_xy=3,
                        iterations=10,
                        gt_prob=0.7,
                    )
                ],
            ),
        ),
    ),
)
test_evaluator = []
