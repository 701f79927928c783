"""Classifiers trained from weak labels."""

from mmwsss.models.classifiers.cam_classifier import CAMClassifier
from mmwsss.models.classifiers.filled_boxes import FilledBoxes

__all__ = ['CAMClassifier', 'FilledBoxes']
