"""Inferencers for new images, and what the command lines in tools/ share."""

from mmwsss.apis.cam_inferencer import CAMInferencer
from mmwsss.apis.pseudo_label_inferencer import PseudoLabelInferencer

__all__ = ['CAMInferencer', 'PseudoLabelInferencer']
