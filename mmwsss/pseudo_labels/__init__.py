"""From class activation maps to pseudo labels: scores in, scores out, at last a label map."""

from mmwsss.pseudo_labels.backgrounds import (
    AttentionBackground,
    ConstantBackground,
    LearnedThreshold,
    PowerBackground,
)
from mmwsss.pseudo_labels.generator import PseudoLabelGenerator
from mmwsss.pseudo_labels.label_maps import LabelMaps, RefineJob
from mmwsss.pseudo_labels.labelers import ArgmaxLabeler, ConflictLabeler
from mmwsss.pseudo_labels.normalizers import (
    BoxNormalize,
    LearnedThresholdPlanes,
    MaxNormalize,
    MinMaxNormalize,
)
from mmwsss.pseudo_labels.refiners import (
    BoundaryWalk,
    BoxConstraint,
    DenseCRF,
    PixelAdaptiveRefinement,
    RandomWalk,
    RetrievalRefiner,
    SaliencyBackground,
    SoftmaxInBoxes,
)

__all__ = [
    'ArgmaxLabeler',
    'AttentionBackground',
    'BoundaryWalk',
    'BoxConstraint',
    'BoxNormalize',
    'ConflictLabeler',
    'ConstantBackground',
    'DenseCRF',
    'LabelMaps',
    'LearnedThreshold',
    'LearnedThresholdPlanes',
    'MaxNormalize',
    'MinMaxNormalize',
    'PixelAdaptiveRefinement',
    'PowerBackground',
    'PseudoLabelGenerator',
    'RandomWalk',
    'RefineJob',
    'RetrievalRefiner',
    'SaliencyBackground',
    'SoftmaxInBoxes',
]
