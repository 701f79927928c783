# Baselines without a network on the images of train.txt: filled boxes, unchanged and refined by a
# CRF from hard labels.
_base_ = ['../_base_/datasets/voc12_tags_original_mini.py', '../_base_/default_runtime.py']
model = dict(type='FilledBoxes')
test_dataloader = dict(dataset=dict(supervision='box'))
crf = dict(type='DenseCRF', bilateral_weight=4, bilateral_xy=55, bilateral_rgb=3, gt_prob=0.7)
test_cfg = dict(
    type='PseudoLabelLoop',
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(
            filled=dict(background=dict(type='ConstantBackground', threshold=0.5)),
            filled_crf=dict(start='filled', refiners=[crf]),
        ),
    ),
)
test_evaluator = []
