# CAMs, softmax in the boxes and CRF (Y_crf); then prototypes of Y_crf and retrieval (Y_ret).
test_cfg = dict(
    type='PseudoLabelLoop',
    generator=dict(
        type='PseudoLabelGenerator',
        normalize=dict(type='BoxNormalize'),
        labels=dict(
            seed=dict(
                background=dict(type='AttentionBackground', threshold=0.99),
                refiners=[dict(type='SoftmaxInBoxes')],
            ),
            Y_crf=dict(
                start='seed',
                refiners=[
                    dict(type='DenseCRF', bilateral_weight=4, bilateral_xy=55, bilateral_rgb=3),
                    dict(type='BoxConstraint'),
                ],
            ),
            Y_ret=dict(
                start='Y_crf',
                refiners=[dict(type='RetrievalRefiner'), dict(type='BoxConstraint')],
            ),
        ),
    ),
)
test_evaluator = []
