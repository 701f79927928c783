# Seeds from tags (MobileNetV2), as at the start of AffinityNet, refined by a CRF and by BANA's
# retrieval: every pixel gets the class whose mean feature is most similar to its own.
_base_ = ['../affinitynet/psa-confident_mobilenet-v2_voc12-mini-320x320.py']
test_cfg = dict(
    keep_scores=(),
    generator=dict(
        normalize=dict(type='MaxNormalize'),
        labels=dict(
            _delete_=True,
            seed=dict(background=dict(type='PowerBackground', alpha=2)),
            seed_crf=dict(start='seed', refiners=[{{_base_.crf}}]),
            retrieved=dict(start='seed_crf', refiners=[dict(type='RetrievalRefiner')]),
        ),
    ),
)
