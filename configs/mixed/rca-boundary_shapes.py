# Tags to labels with parts of three methods (synthetic shapes): seeds of RCA's contrast and
# aggregation under AEFT's gated pyramid pooling, walked up to IRN's boundaries, which are learnt
# from AffinityNet's confident regions.
_base_ = ['./rca-walk_shapes.py']
stages = dict(
    affinity=None,
    boundary=dict(
        after='seeds',
        config='irn-boundary_resnet18_shapes-96x96.py',
        takes={
            'train_dataloader.dataset.data_prefix.seg_map_path': 'seeds.low',
            'train_dataloader.dataset.data_prefix.aux_seg_map_path': 'seeds.high',
        },
    ),
    walk=dict(
        config='irn-walk_resnet18_shapes.py',
        takes={'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'boundary.checkpoint'},
    ),
)
