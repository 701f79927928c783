# IRN on synthetic shapes, from tags to a segmentation model. Its boundary network learns from
# AffinityNet's confident regions.
_base_ = ['./psa_shapes.py']
stages = dict(
    affinity=None,
    boundary=dict(
        after='seeds',
        config='../mixed/irn-boundary_resnet18_shapes-96x96.py',
        takes={
            'train_dataloader.dataset.data_prefix.seg_map_path': 'seeds.low',
            'train_dataloader.dataset.data_prefix.aux_seg_map_path': 'seeds.high',
        },
    ),
    walk=dict(
        config='../mixed/irn-walk_resnet18_shapes.py',
        takes={'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'boundary.checkpoint'},
    ),
)
