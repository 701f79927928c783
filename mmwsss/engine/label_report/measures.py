"""The measures of a report, explained in plain words."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmwsss.engine.label_report.measuring import Measured
from mmwsss.engine.label_report.source import ReportSource
from mmwsss.evaluation.suspicion import share_without_tag, tags_without_pixel, unusual_share


@dataclass(frozen=True)
class Measure:
    """One reason to look at an image.

    Attributes:
        key: Short name, unique.
        title: What images at the top of the list have in common.
        name: What the value is; measures that show the same value have the same name.
        sentence: Explanation for people who know tags and masks but not the code.
        suspicion: Higher values come earlier in the list; NaN or 0 means no suspicion, (N,).
        shown: The value that people see, (N,).
        form: Turns a shown value into text.
    """

    key: str
    title: str
    name: str
    sentence: str
    suspicion: np.ndarray
    shown: np.ndarray
    form: Callable[[float], str]


def percent(value: float) -> str:
    """Write a share as a percentage, in which only 0 looks like 0."""
    return '<0.1%' if 0 < value < 0.0005 else f'{100 * value:.1f}%'


def count(value: float) -> str:
    """Write a count."""
    return f'{value:.0f}'


def factor(value: float) -> str:
    """Write a difference of binary logarithms as a factor."""
    times = 2**value
    return f'{times:,.0f}-fold' if times >= 10 else f'{times:.1f}-fold'


def all_measures(
    source: ReportSource, measured: Measured, tags: np.ndarray | None
) -> list[Measure]:
    """List the measures that apply to these labels.

    Args:
        source: What the report is about.
        measured: The results of measuring them.
        tags: Tags of all images, see :func:`~mmwsss.evaluation.label_statistics.tag_table`.
    """
    found = [
        *_of_tags(measured, tags),
        *_of_coverage(measured, tags),
        *_of_shape(measured),
        *_of_others(source, measured),
        *_of_masks(measured),
    ]
    return [measure for measure in found if (np.nan_to_num(measure.suspicion) > 0).any()]


def _of_tags(measured: Measured, tags: np.ndarray | None) -> list[Measure]:
    if tags is None:
        return []
    lacking = tags_without_pixel(measured.pixels, tags)
    foreign = share_without_tag(measured.pixels, tags, measured.sizes)
    return [
        Measure(
            'tags',
            'Tags without a pixel',
            'Tags without a pixel',
            'The image has a tag, but no pixel is labelled as that class: the object was missed.',
            *(lacking, lacking, count),
        ),
        Measure(
            'untagged',
            'Pixels without a tag',
            'Pixels without a tag',
            'Part of the image is labelled as a class for which it has no tag: either the label is '
            'wrong or the tag is missing.',
            *(foreign, foreign, percent),
        ),
    ]


def _of_coverage(measured: Measured, tags: np.ndarray | None) -> list[Measure]:
    share = measured.pixels.sum(axis=1) / measured.sizes
    ignored = measured.ignored / measured.sizes
    far = unusual_share(measured.pixels, measured.sizes)
    # An image without a tag should be empty.
    empty = np.zeros(len(share), bool) if tags is None else (tags == 0).all(axis=1)
    return [
        Measure(
            'little',
            'Hardly anything labelled',
            'Coverage',
            'Objects cover little of the image: one may have been missed or found only in part.',
            *(np.where(empty, np.nan, 1 - share), share, percent),
        ),
        Measure(
            'much',
            'Nearly everything labelled',
            'Coverage',
            'Objects cover most of the image: labels may have spread into the background.',
            *(share, share, percent),
        ),
        Measure(
            'unusual',
            'Unusual size of a class',
            'Off the usual size',
            'A class covers far more or far less than it usually does where it occurs: '
            '8-fold is eight times as much, or an eighth.',
            *(far, far, factor),
        ),
        Measure(
            'ignored',
            'Much left undecided',
            'Ignored',
            'Many pixels are marked to be ignored, so nothing is learnt from them.',
            *(ignored, ignored, percent),
        ),
    ]


def _of_shape(measured: Measured) -> list[Measure]:
    parts = measured.parts.sum(axis=1).astype(float)
    return [
        Measure(
            'parts',
            'Many separate parts',
            'Separate parts',
            'The labels consist of many parts that do not touch, which often is noise. A single '
            'object has one part, or a few where something is in front of it.',
            *(parts, parts, count),
        ),
        Measure(
            'fit',
            'Borders away from edges',
            'Borders on edges',
            'Label borders do not follow visible edges: 100% would be the strongest edges of the '
            'image, 50% is what borders drawn at random would reach.',
            *(1 - measured.fit, measured.fit, percent),
        ),
    ]


def _of_others(source: ReportSource, measured: Measured) -> list[Measure]:
    if not source.others:
        return []
    name = source.others[-1].name
    return [
        Measure(
            'differs',
            f'Differs from {name}',
            f'Differs from {name}',
            f'The share of pixels on which these labels and {name} disagree, of all pixels that '
            'either of them gives to an object.',
            *(measured.disagreement, measured.disagreement, percent),
        )
    ]


def _of_masks(measured: Measured) -> list[Measure]:
    return [
        Measure(
            'worst',
            'Lowest IoU',
            'IoU',
            'The labels match the true mask worst, by the mean IoU of all classes in the labels or '
            'the mask of the image, background included.',
            *(1 - measured.iou, measured.iou, percent),
        ),
        Measure(
            'best',
            'Highest IoU',
            'IoU',
            'The labels match the true mask best: what good labels of this set look like.',
            *(measured.iou, measured.iou, percent),
        ),
    ]
