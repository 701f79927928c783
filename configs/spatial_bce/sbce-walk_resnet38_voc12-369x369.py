# Labels of the last round by a random walk over the affinities of the wide ResNet-38. What walks is
# the excess of the probabilities over their learned thresholds (`--tta`).
_base_ = [
    '../_base_/models/sbce_resnet38.py',
    '../_base_/networks/affinity-network_resnet38.py',
    '../_base_/datasets/voc12_tags_randaugment_369.py',
    '../_base_/pseudo_labels/sbce_labels.py',
    '../_base_/default_runtime.py',
]
walk = dict(
    type='RandomWalk', network={{_base_.affinity_network}}, checkpoint=None, beta=8, log_steps=8
)
train_dataloader = None
tta_model = dict(merge='mean_sigmoid')
test_cfg = dict(
    proportions=(),
    generator=dict(
        labels=dict(
            walk=dict(start='seed', refiners=[walk]),
            walk_crf=dict(start='walk', refiners=[{{_base_.crf}}]),
        )
    ),
)
