"""The report on a set of labels: one HTML file for people who decide whether it is good enough."""

from mmwsss.engine.label_report.report import write_label_report
from mmwsss.engine.label_report.source import (
    LabelSet,
    ReportImage,
    ReportSource,
    image_of_entry,
)

__all__ = ['LabelSet', 'ReportImage', 'ReportSource', 'image_of_entry', 'write_label_report']
