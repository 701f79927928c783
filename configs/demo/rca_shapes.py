# All of RCA on synthetic shapes, from tags to a segmentation model; labels after a CRF.
_base_ = ['./psa_shapes.py']
stages = dict(
    classifier=dict(config='rca_resnet18_shapes-96x96.py'),
    seeds=dict(config='rca_resnet18_shapes-96x96.py'),
    affinity=None,
    walk=None,
    segmentor=dict(takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'seeds.low'}),
)
