"""Checks before labels are made."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mmengine.dataset import BaseDataset
from mmengine.runner import Runner
from mmseg.structures import SegDataSample

from mmwsss.structures import UserInputError, WeakDataset

# Larger than the cells of any feature grid.
_MAX_STRIDE = 64


def check_checkpoint(runner: Runner) -> None:
    """Refuse to test, or to label images with, a network that was never trained."""
    has_weights = any(True for _ in runner.model.parameters())
    if has_weights and not runner.cfg.get('load_from'):
        raise UserInputError(
            'labels and tests need a trained model, but load_from is not set. Name the checkpoint '
            'on the command line, or let the stage take it from the stage that trains the model.'
        )


def check_files(files: tuple[str, ...]) -> None:
    """Refuse parts of the generator whose files or folders are missing."""
    for path in files:
        if not Path(path).exists():
            raise UserInputError(
                f'the label generator needs {path}, which does not exist. Name an existing file or '
                'folder in test_cfg.generator, or let the stage take a checkpoint from the stage '
                'that trains it.'
            )


def check_supervision(dataset: BaseDataset, required: frozenset[str]) -> None:
    """Refuse parts that need boxes on data without them."""
    missing = sorted(required & {'gt_instances', 'background_mask'})
    if missing and isinstance(dataset, WeakDataset) and dataset.supervision != 'box':
        raise UserInputError(
            f'the label generator needs {missing}, which come with boxes, but the data set of the '
            f"images to label has supervision={dataset.supervision!r}. Set supervision='box' in "
            'test_dataloader.dataset, or choose parts that do not need boxes (docs/methods.md).'
        )


def check_label_names(option: str, chosen: Collection[str], names: tuple[str, ...]) -> None:
    """Refuse an option that names labels that are not made."""
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise UserInputError(
            f'{option}={chosen!r} names {unknown}, but the labels are {list(names)}. Give '
            'a tuple of their names.'
        )


def score_strides(keep_scores: Sequence[str] | Mapping[str, int]) -> dict[str, int]:
    """Pixels per cell at which the scores of each label are kept; 1 if only names are given."""
    if not isinstance(keep_scores, Mapping):
        return dict.fromkeys(keep_scores, 1)
    for name, stride in keep_scores.items():
        if type(stride) is not int or not 1 <= stride <= _MAX_STRIDE:
            raise UserInputError(
                f'keep_scores.{name} = {stride!r} must be a number of pixels between 1 (full size) '
                f'and {_MAX_STRIDE}: scores are kept as means over cells with sides of that length.'
            )
    return dict(keep_scores)


def check_no_mask(sample: SegDataSample) -> None:
    """Refuse true masks, which are only for evaluating the finished files."""
    if 'gt_sem_seg' in sample:
        raise UserInputError(
            'the pipeline of the images to label loads true masks. Remove LoadAnnotations from '
            'it. The evaluation reads them from data_prefix.seg_map_path itself.'
        )
