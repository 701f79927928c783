"""Evaluation of seeds, labels and predictions."""

import mmseg.evaluation  # noqa: F401  (a registry does not import the locations of its parent)

from mmwsss.evaluation.foreground_proportions import class_proportions, proportions_of_folder
from mmwsss.evaluation.label_folder import (
    LabelAgreement,
    LabelQuality,
    evaluate_label_folder,
    label_agreement,
    masks_of_dataset,
)
from mmwsss.evaluation.seed_iou import (
    SeedIoUWithGroundTruth,
    mean_iou,
    seed_confusions,
    seed_histogram,
)
from mmwsss.evaluation.seed_threshold import (
    SeedThresholdWithoutMasks,
    exponent_of,
    foreground_shares,
)

__all__ = [
    'LabelAgreement',
    'LabelQuality',
    'SeedIoUWithGroundTruth',
    'SeedThresholdWithoutMasks',
    'class_proportions',
    'evaluate_label_folder',
    'exponent_of',
    'foreground_shares',
    'label_agreement',
    'masks_of_dataset',
    'mean_iou',
    'proportions_of_folder',
    'seed_confusions',
    'seed_histogram',
]
