# Tags to labels with parts of three methods (synthetic shapes): seeds of RCA's contrast and
# aggregation under AEFT's gated pyramid pooling, AffinityNet's affinities and random walk.
_base_ = ['../demo/psa_shapes.py']
stages = dict(
    classifier=dict(config='rca-gpp_resnet18_shapes-96x96.py'),
    seeds=dict(config='rca-gpp_resnet18_shapes-96x96.py'),
    segmentor=None,
)
