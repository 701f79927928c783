# Seeds from tags (synthetic shapes), as at the start of AffinityNet, refined by a CRF and by BANA's
# retrieval: every pixel gets the class whose mean feature is most similar to its own.
_base_ = ['../demo/psa-cam_resnet18_shapes-96x96.py']
test_cfg = dict(
    keep_scores=(),
    proportions=(),
    generator=dict(
        labels=dict(
            _delete_=True,
            seed=dict(background=dict(type='PowerBackground', alpha=2)),
            seed_crf=dict(start='seed', refiners=[{{_base_.crf}}]),
            retrieved=dict(start='seed_crf', refiners=[dict(type='RetrievalRefiner')]),
        ),
    ),
)
