# Walk of the kept seeds up to the boundaries of MobileNetV2. Its threshold was chosen with the true
# masks of 169 images of train.txt (docs/results.md).
_base_ = [
    '../_base_/networks/boundary-network_mobilenet-v2.py',
    '../_base_/datasets/voc12_tags_original_mini.py',
    '../_base_/pseudo_labels/irn_walk.py',
    '../_base_/default_runtime.py',
]
walk = dict(type='BoundaryWalk', network={{_base_.boundary_network}}, checkpoint=None, min_size=320)
model = dict(type='StoredCAMs', folder='')
test_cfg = dict(
    generator=dict(labels=dict(walk=dict(background=dict(threshold=0.45), refiners=[walk])))
)
