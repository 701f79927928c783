# Seeds from tags (synthetic shapes), as AffinityNet starts, refined by a CRF and by BANA's
# retrieval: every pixel gets the class whose mean feature resembles its own.
_base_ = ['../demo/psa-cam_resnet18_shapes-96x96.py']
test_cfg = dict(
    _delete_=True,
    type='PseudoLabelLoop',
    generator=dict(
        type='PseudoLabelGenerator',
        normalize=dict(type='MaxNormalize'),
        labels=dict(
            seed=dict(background=dict(type='PowerBackground', alpha=2)),
            seed_crf=dict(
                start='seed',
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
            retrieved=dict(start='seed_crf', refiners=[dict(type='RetrievalRefiner')]),
        ),
    ),
)
