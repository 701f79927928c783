"""The report on a label set: one HTML file for people who decide whether it is good enough."""

from mmwsss.engine.label_report.report import write_label_report
from mmwsss.engine.label_report.source import (
    LabelSet,
    ReportImage,
    ReportSource,
    image_of_entry,
)
from mmwsss.engine.label_report.stamp import is_current

__all__ = [
    'LabelSet',
    'ReportImage',
    'ReportSource',
    'image_of_entry',
    'is_current',
    'write_label_report',
]
