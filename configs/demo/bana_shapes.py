# All of BANA on synthetic shapes, from boxes to a segmentation model, in minutes on a CPU.
stages = dict(
    classifier=dict(config='bana-classifier_resnet18_shapes-96x96.py'),
    labels=dict(
        config='bana-classifier_resnet18_shapes-96x96.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    segmentor=dict(
        config='bana-nal_resnet18_shapes-96x96.py',
        takes={
            'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.Y_crf',
            'train_dataloader.dataset.data_prefix.aux_seg_map_path': 'labels.Y_ret',
        },
    ),
)
