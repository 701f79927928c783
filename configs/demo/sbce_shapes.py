# Spatial-BCE on synthetic shapes, one round and a random walk, from tags to a segmentation model.
_base_ = ['../mixed/sbce-walk_shapes.py']
stages = dict(
    segmentor=dict(
        after='walk',
        config='psa-ce_resnet18_shapes-96x96.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'walk.walk'},
    ),
)
