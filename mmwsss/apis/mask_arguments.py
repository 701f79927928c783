"""Arguments of tools that read label maps: their classes and those of true masks."""

import argparse
from typing import Any

from mmwsss.datasets import VOCWeakDataset
from mmwsss.datasets.true_masks import mask_values


def add_class_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the classes of label maps and how true masks are encoded."""
    parser.add_argument(
        '--classes',
        nargs='+',
        default=VOCWeakDataset.METAINFO['classes'],
        help='names of all classes, background first; those of VOC by default',
    )
    parser.add_argument(
        '--mask-classes',
        nargs='+',
        help='names of the classes of the true masks in the order of their values, if they differ '
        'from --classes',
    )
    parser.add_argument(
        '--mask-others',
        choices=['background', 'ignore'],
        default='background',
        help='what becomes of classes of the true masks that are not among --classes',
    )


def mask_encoding(args: argparse.Namespace) -> dict[str, Any]:
    """Return what :func:`~mmwsss.datasets.true_masks.read_true_mask` needs besides the file.

    Raises:
        UserInputError: The two lists of classes do not fit.
    """
    encoding: dict[str, Any] = {'num_classes': len(args.classes) - 1}
    if args.mask_classes:
        values = mask_values(args.mask_classes, args.classes, others=args.mask_others)
        encoding['mask_values'] = values
    return encoding
