# Labels of the last round by IRN's walk up to boundaries. What walks is the excess of the
# probabilities over their learned thresholds (`--tta`).
_base_ = [
    '../_base_/models/sbce_resnet38.py',
    '../_base_/networks/boundary-network_resnet50.py',
    '../_base_/datasets/voc12_tags_randaugment_369.py',
    '../_base_/pseudo_labels/sbce_labels.py',
    '../_base_/default_runtime.py',
]
walk = dict(
    type='BoundaryWalk',
    network={{_base_.boundary_network}},
    checkpoint=None,
    radius=5,
    beta=10,
    log_steps=8,
    min_size=512,
)
train_dataloader = None
tta_model = dict(merge='mean_sigmoid')
background = dict(type='ConstantBackground', threshold=0.25)
test_cfg = dict(
    keep_scores=('walk',),
    proportions=(),
    generator=dict(
        labels=dict(
            walk=dict(background=background, refiners=[walk]),
            walk_crf=dict(start='walk', refiners=[{{_base_.crf}}]),
        )
    ),
)
