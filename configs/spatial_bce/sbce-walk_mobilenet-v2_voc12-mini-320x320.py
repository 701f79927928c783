# Labels of Spatial-BCE on MobileNetV2 by a random walk over the affinities of MobileNetV2. What
# walks is the excess of the probabilities over their learned thresholds.
_base_ = [
    '../_base_/models/sbce_mobilenet-v2.py',
    '../_base_/networks/affinity-network_mobilenet-v2.py',
    '../_base_/datasets/voc12_tags_whole_mini_320.py',
    '../_base_/pseudo_labels/sbce_labels.py',
    '../_base_/default_runtime.py',
]
walk = dict(
    type='RandomWalk', network={{_base_.affinity_network}}, checkpoint=None, beta=8, log_steps=7
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
