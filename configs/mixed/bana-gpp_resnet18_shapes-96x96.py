# Boxes (synthetic shapes): the classifier learns with AEFT's gated pyramid pooling, and BANA makes
# labels from its maps within the boxes.
_base_ = ['../demo/bana-classifier_resnet18_shapes-96x96.py']
model = dict(
    head=dict(
        pooling=dict(_delete_=True, type='GatedPyramidPooling', num_classes=4),
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),
    ),
    objectives=[dict(type='MultiLabelSoftMargin')],
)
