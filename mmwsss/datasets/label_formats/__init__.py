"""Weak labels from the files of annotation tools, in one record for all formats."""

from mmwsss.datasets.label_formats.read_labels import FORMATS, read_labels
from mmwsss.datasets.label_formats.records import WeakLabels

__all__ = ['FORMATS', 'WeakLabels', 'read_labels']
