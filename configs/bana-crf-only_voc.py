# Ablation of BANA's loss: cross entropy on one of its label maps, `Y_crf`.
_base_ = ['./bana_voc.py']
stages = dict(
    segmentor=dict(
        config='segmentors/deeplabv1-largefov_vgg16_voc12-321x321.py',
        takes={
            '_delete_': True,
            'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.Y_crf',
        },
    ),
    test=dict(config='segmentors/deeplabv1-largefov_vgg16_voc12-321x321.py'),
)
