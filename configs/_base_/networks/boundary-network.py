# Shared by all boundary networks: colours as torchvision's weights expect them, and five layers,
# the first two at stride 4, the third at 8, the others at 16.
boundary_network = dict(
    type='BoundaryNetwork',
    data_preprocessor=dict(
        type='WeakSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(type='TappedBackbone'),
    head=dict(type='BoundaryHead', scales=(1, 1, 2, 4, 4)),
    radius=10,
)
