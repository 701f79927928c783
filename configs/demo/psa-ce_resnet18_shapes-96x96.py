# AffinityNet on synthetic shapes: segmentor on the walked labels.
_base_ = ['./bana-nal_resnet18_shapes-96x96.py']
model = dict(
    decode_head=dict(type='FCNHead', loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True))
)
