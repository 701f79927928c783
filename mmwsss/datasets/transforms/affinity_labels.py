"""Turns scores with two backgrounds into the labels that an affinity network learns from."""

from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform

from mmwsss.affinity.labels import affinity_label
from mmwsss.registry import TRANSFORMS
from mmwsss.structures import UserInputError, manifest_stamp, read_scores, settings_stamp

_PATHS = ('foreground_score_path', 'background_score_path')
_FIELD = 'confident_scores'


@TRANSFORMS.register_module()
class LoadConfidentScores(BaseTransform):
    """Load two sets of scores, one with trusted foreground and one with trusted background.

    ``foreground_score_path`` names the scores with a low exponent of the background (much
    background, so that the remaining foreground is reliable), ``background_score_path`` those with
    a high one. Both are score files (:mod:`mmwsss.structures.score_files`) with the same classes.
    Files from a label loop must come from the same settings, and match the manifest beside their
    folder if there is one.

    The results get ``confident_scores`` float (H, W, 2(1+n)), background and n classes of the
    first file, then of the second; and ``score_classes`` int64 (n,), ascending. The scores are in
    ``seg_fields``, so that flips and crops apply to them. Put this transform right after the one
    that loads the image.

    Raises:
        UserInputError: When the data set lists no score files; a file is missing or damaged; the
            files have different classes or settings, or are older than their manifest; or a file
            does not match the size of the image or the classes of the data set.
    """

    def transform(self, results: dict) -> dict:
        """Add ``confident_scores`` and ``score_classes``."""
        for key in _PATHS:
            if key not in results:
                raise UserInputError(
                    f'Expected {key!r} in the entry: set `data_prefix.{key}` of the data set.'
                )
        paths = [results[key] for key in _PATHS]
        (low, classes), (high, high_classes) = (_ascending(*read_scores(path)) for path in paths)
        if not np.array_equal(classes, high_classes):
            raise UserInputError(
                f'{paths[0]} has scores of the classes {classes.tolist()}, but {paths[1]} of '
                f'{high_classes.tolist()}. Take both from one run of the PseudoLabelLoop.'
            )
        _check_settings(paths, results['img_id'])
        for path, scores in zip(paths, (low, high), strict=True):
            _check_fit(path, scores, classes, results)
        results[_FIELD] = np.ascontiguousarray(np.concatenate([low, high]).transpose(1, 2, 0))
        results['score_classes'] = classes
        results['seg_fields'].append(_FIELD)
        return results


@TRANSFORMS.register_module()
class AffinityLabels(BaseTransform):
    """Turn ``confident_scores`` into ``affinity_label`` uint8 (H/stride, W/stride).

    See :func:`~mmwsss.affinity.labels.affinity_label`. Put this transform after the crop; it
    removes the scores.

    Args:
        stride: Pixels per cell of the affinity network's feature grid, on each axis.

    Raises:
        UserInputError: When the crop is not a multiple of the stride, or there are no scores.
    """

    def __init__(self, stride: int = 8) -> None:
        if stride < 1:
            raise ValueError(f'Expected `stride` to be at least 1 pixel, got {stride}.')
        self.stride = stride

    def transform(self, results: dict) -> dict:
        """Replace the scores by the label."""
        if _FIELD not in results:
            raise UserInputError(
                f'Expected {_FIELD!r} in the results: put LoadConfidentScores before '
                'AffinityLabels.'
            )
        scores = results.pop(_FIELD).transpose(2, 0, 1)  # (2(1+n), H, W)
        results['seg_fields'].remove(_FIELD)
        low, high = np.split(scores, 2)
        results['affinity_label'] = affinity_label(
            low, high, results['score_classes'], stride=self.stride
        )
        return results


def _ascending(scores: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort the rows by class; files of other programs may have any order."""
    order = np.argsort(classes)
    if np.array_equal(order, np.arange(len(order))):
        return scores, classes
    return scores[np.concatenate([[0], order + 1])], classes[order]


def _check_settings(paths: list[str], img_id: str) -> None:
    """Refuse files from different runs, so that nothing learns from mixed settings."""
    stamps = [settings_stamp(path) for path in paths]
    folders = [Path(path.removesuffix(f'{img_id}.npz')) for path in paths]
    runs = [manifest_stamp(folder) for folder in folders]
    expected = [run or stamp for run, stamp in zip(runs, stamps, strict=True)]
    if len({*stamps, *expected}) > 1:
        raise UserInputError(
            f'{paths[0]} and {paths[1]} are not from the same run: their settings are {stamps[0]} '
            f'and {stamps[1]}, those of the manifest.json beside their folders {runs[0]} and '
            f'{runs[1]}. Rerun the stage that makes the scores on all images; complete files are '
            'skipped.'
        )


def _check_fit(path: str, scores: np.ndarray, classes: np.ndarray, results: dict) -> None:
    height, width = results['img'].shape[:2]
    if scores.shape[1:] != (height, width):
        raise UserInputError(
            f'{path}: the scores are {scores.shape[1]}x{scores.shape[2]}, but the image '
            f'{results["img_path"]} is {height}x{width} (height x width). Make them again from the '
            'same images, and put LoadConfidentScores right after LoadImage.'
        )
    num_classes = results['num_classes']
    if (classes >= num_classes).any():
        raise UserInputError(
            f'{path} has scores of the classes {classes.tolist()}; expected indices 0..'
            f'{num_classes - 1}. Make the scores again with the classes of this data set.'
        )
