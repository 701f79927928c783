# Boxes to labels with parts of two methods (synthetic shapes). IRN's boundary network learns from
# the labels of BANA's classifier and box CAMs, and the box CAMs walk up to its boundaries.
stages = dict(
    classifier=dict(config='../demo/bana-classifier_resnet18_shapes-96x96.py'),
    labels=dict(
        config='../demo/bana-classifier_resnet18_shapes-96x96.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    boundary=dict(
        config='irn-boundary_resnet18_shapes-96x96.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.Y_crf'},
    ),
    walk=dict(
        config='bana-boundary_resnet18_shapes-96x96.py',
        task='test',
        takes={
            'load_from': 'classifier.checkpoint',
            'test_cfg.generator.labels.walk.refiners.0.checkpoint': 'boundary.checkpoint',
        },
    ),
)
