# The whole of BANA on synthetic shapes, from boxes to a segmentation model, in minutes on a CPU.
stages = [
    dict(name='classifier', config='bana-classifier_resnet18_shapes-96x96.py'),
    dict(
        name='labels',
        config='bana-classifier_resnet18_shapes-96x96.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='segmentor',
        config='bana-nal_resnet18_shapes-96x96.py',
        takes={
            'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.Y_crf',
            'train_dataloader.dataset.data_prefix.aux_seg_map_path': 'labels.Y_ret',
        },
    ),
]
