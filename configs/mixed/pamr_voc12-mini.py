# Kept seeds from tags, refined by a CRF and, for comparison, by the colours of neighbouring pixels
# (PAMR, PAR). Name their scores in `model.folder`.
_base_ = ['../_base_/datasets/voc12_tags_original_mini.py', '../_base_/default_runtime.py']
crf = dict(type='DenseCRF', bilateral_weight=10, bilateral_xy=80, bilateral_rgb=13)
pamr = dict(type='PixelAdaptiveRefinement', kind='pamr', scale=0.5)
par = dict(type='PixelAdaptiveRefinement', kind='par', scale=0.5)
model = dict(type='StoredCAMs', folder='')
test_cfg = dict(
    type='PseudoLabelLoop',
    generator=dict(
        type='PseudoLabelGenerator',
        labels=dict(
            seed=dict(background=dict(type='PowerBackground', alpha=2)),
            crf=dict(start='seed', refiners=[crf]),
            pamr=dict(start='seed', refiners=[pamr]),
            par=dict(start='seed', refiners=[par]),
        ),
    ),
)
test_evaluator = []
