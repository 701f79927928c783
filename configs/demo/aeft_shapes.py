# All of AEFT on synthetic shapes, from tags to a segmentation model.
_base_ = ['./psa_shapes.py']
stages = dict(
    classifier=dict(config='aeft_resnet18_shapes-96x96.py'),
    seeds=dict(config='aeft_resnet18_shapes-96x96.py'),
)
