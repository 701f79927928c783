# RCA on VGG16 as its published code has it: learned projections and no softmax in the aggregation,
# a network of four convolutions for every class, a ring that starts as noise, partners of any
# class. Four fifths of the arithmetic are those of the class branches.
_base_ = ['./rca_vgg16_voc12-368x368.py']
model = dict(
    head=dict(
        type='ClassBranchesHead',
        in_channels=512,
        context=dict(affinity='scaled', projections=True, reduce=512, coarse_convs=3),
    ),
    objectives=[
        dict(type='MultiLabelSoftMargin'),
        dict(type='MultiLabelSoftMargin', part='coarse_map', loss_weight=0.4),
        dict(
            type='RegionContrast',
            num_classes=20,
            channels=512,
            regions='coarse_map',
            feats='local_feats',
            memory=dict(official=True),
            partner='any',
            projection=True,
            floor=1e-4,
            loss_weight=0.08,
        ),
    ],
)
# The projection of the contrast has no gradient before it starts.
find_unused_parameters = True
