# RCA from tags and saliency maps to a segmentation model on VGG16.
_base_ = ['./rca_voc.py']
stages = dict(
    labels=dict(config='rca/rca-saliency_vgg16_voc12.py'),
    segmentor=dict(takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.saliency'}),
)
