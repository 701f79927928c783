"""Classifiers trained from weak labels."""

from mmwsss.models.classifiers.cam_classifier import CAMClassifier
from mmwsss.models.classifiers.filled_boxes import FilledBoxes
from mmwsss.models.classifiers.stored_cams import StoredCAMs

__all__ = ['CAMClassifier', 'FilledBoxes', 'StoredCAMs']
