# Boxes (MobileNetV2): the classifier learns with AEFT's gated pyramid pooling, and BANA makes
# labels from its maps within the boxes.
_base_ = ['../bana/bana_mobilenet-v2_voc12-mini-320x320.py']
model = dict(
    head=dict(
        pooling=dict(_delete_=True, type='GatedPyramidPooling', num_classes=20),
        init_cfg=dict(_delete_=True, type='Xavier', layer='Conv2d', distribution='uniform'),
    ),
    objectives=[dict(type='MultiLabelSoftMargin')],
)
