# RCA as in its published code, from tags to a segmentation model on VGG16: class branches and seeds
# kept in training, without saliency maps.
_base_ = ['./rca_voc.py']
stages = dict(
    classifier=dict(config='rca/rca-branches_vgg16_voc12-368x368.py'),
    labels=dict(
        _delete_=True,
        config='rca/rca-branches-labels_voc12.py',
        task='test',
        takes={'model.folder': 'classifier.training_cams'},
    ),
)
