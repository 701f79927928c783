# Baseline: the kept maps of a plain classifier with one threshold for all images and classes.
_base_ = ['../_base_/datasets/voc12_tags_original_mini.py', '../_base_/default_runtime.py']
model = dict(type='StoredCAMs', folder='')
crf = dict(type='DenseCRF', bilateral_weight=10, bilateral_xy=40, bilateral_rgb=5, gt_prob=0.7)
test_cfg = dict(
    type='PseudoLabelLoop',
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(
            fixed=dict(background=dict(type='ConstantBackground', threshold=0.3)),
            fixed_crf=dict(start='fixed', refiners=[crf]),
        ),
    ),
)
test_evaluator = []
