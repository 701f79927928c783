"""From class activation maps to pseudo labels, without files and without a runner."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.pseudo_labels.label_maps import LabelMaps, RefineJob, Refiner, Steps
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import BACKGROUND

_ENTRY_KEYS = {'start', 'background', 'refiners'}
_CAM_FIELDS = ('cams', 'cam_label')


@dataclass(frozen=True)
class _Label:
    """How one label map is made; ``background`` is None where ``start`` is given."""

    start: str | None
    background: object | None
    refiners: tuple[Refiner, ...]


@TASK_UTILS.register_module()
class PseudoLabelGenerator:
    """Make named label maps of an image from its class activation maps.

    Each label starts from ``[background; normalised CAMs]`` or from the scores of an earlier label,
    goes through its refiners in order, and ends in the labeler. Labels are made in the given order;
    the CAMs are normalised once.

    Args:
        labels: For each label name a dict with ``background`` (config) or ``start`` (name of an
            earlier label), and ``refiners`` (list of configs).
        normalize: Config of the normalizer; without one the CAMs are taken as they are.
        labeler: Config of the labeler; :class:`ArgmaxLabeler` by default.

    Raises:
        ValueError: If a label has neither or both of ``background`` and ``start``, adds nothing to
            the label it starts from, starts from an unknown or later label, or has unknown keys.

    Example:
        >>> generator = PseudoLabelGenerator(
        ...     normalize=dict(type='MaxNormalize'),
        ...     labels=dict(seed=dict(background=dict(type='ConstantBackground', threshold=0.2))),
        ... )
        >>> generator.generate(sample, image)['seed']  # doctest: +SKIP
    """

    def __init__(
        self, *, labels: dict[str, dict], normalize: dict | None = None, labeler: dict | None = None
    ) -> None:
        if not labels:
            raise ValueError('`labels` must name at least one label map, got none.')
        self.normalizer = TASK_UTILS.build(normalize) if normalize else None
        self.labeler = TASK_UTILS.build(labeler or dict(type='ArgmaxLabeler'))
        self._without_class = 0
        self.labels: dict[str, _Label] = {}
        for name, entry in labels.items():
            _check_entry(name, entry, made=list(self.labels), names=list(labels))
            background = entry.get('background')
            self.labels[name] = _Label(
                start=entry.get('start'),
                background=TASK_UTILS.build(background) if background else None,
                refiners=tuple(TASK_UTILS.build(cfg) for cfg in entry.get('refiners', ())),
            )
        self._groups = _groups(labels, self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the label maps, in the order in which they are made."""
        return tuple(self.labels)

    @property
    def requires(self) -> frozenset[str]:
        """Fields of the data sample, beyond the CAMs, that any part needs."""
        return frozenset(field for part in self._parts() for field in part.requires)

    @property
    def files(self) -> tuple[str, ...]:
        """Files whose content decides the labels: checkpoints of parts."""
        return tuple(file for part in self._parts() for file in getattr(part, 'files', ()))

    @property
    def counts(self) -> dict[str, int]:
        """Images so far that were special: without a class, and what parts count themselves."""
        counts = {'without_class': self._without_class}
        for part in self._parts():
            counts.update(getattr(part, 'counts', {}))
        return counts

    def _parts(self) -> list:
        parts = [self.normalizer, self.labeler]
        for label in self.labels.values():
            parts += [label.background, *label.refiners]
        return [part for part in parts if part is not None]

    def generate(self, sample: SegDataSample, image: np.ndarray) -> dict[str, np.ndarray]:
        """Make all label maps of an image in this process.

        Args:
            sample: ``cams`` (n, H, W), ``cam_label`` (n,) and the fields in :attr:`requires`.
            image: Original image, RGB uint8 (H, W, 3).

        Returns:
            Label map uint8 (H, W) of each name. An image without a present class is background.

        Raises:
            ValueError: If a field is missing, sizes do not match, or the CAMs are not finite.
        """
        steps = self.steps(sample, image)
        refined = None
        while True:
            try:
                job = steps.send(refined)
            except StopIteration as finished:
                return finished.value.labels
            refined = job()

    @torch.no_grad()
    def steps(self, sample: SegDataSample, image: np.ndarray) -> Steps:
        """As :meth:`generate`, but yield the jobs that may run elsewhere and be sent their results.

        The value of the final ``StopIteration`` is :class:`LabelMaps`.
        """
        size = image.shape[:2]
        _check_sample(sample, size, self.requires)
        cams = sample.cams.float()
        if len(sample.cam_label) == 0:
            return self._background_alone(cams, sample)
        if self.normalizer is not None:
            cams = self.normalizer.normalize(cams, sample)
        scores: dict[str, Tensor] = {}
        for names in self._groups:
            group = [self.labels[name] for name in names]
            stacks = [
                torch.cat([label.background.background(cams, sample), cams])
                if label.start is None
                else scores[label.start]
                for label in group
            ]
            stacks = yield from _refine(group[0].refiners[:1], stacks, image, sample)
            for name, label, stack in zip(names, group, stacks, strict=True):
                refined = yield from _refine(label.refiners[1:], [stack], image, sample)
                scores[name] = refined[0]
        labels = {name: self.labeler(scores[name], sample).cpu().numpy() for name in self.labels}
        return LabelMaps(labels, scores, sample.cam_label)

    def _background_alone(self, cams: Tensor, sample: SegDataSample) -> LabelMaps:
        self._without_class += 1
        certain = cams.new_ones(1, *cams.shape[1:])
        label = np.full(cams.shape[1:], BACKGROUND, dtype=np.uint8)
        return LabelMaps(
            {name: label.copy() for name in self.labels},
            dict.fromkeys(self.labels, certain),
            sample.cam_label,
        )


def _refine(
    refiners: tuple[Refiner, ...], stacks: list[Tensor], image: np.ndarray, sample: SegDataSample
) -> Generator[RefineJob, tuple[np.ndarray, ...], list[Tensor]]:
    """Refine several stacks of scores of one image in the same way."""
    for refiner in refiners:
        if refiner.in_worker:
            arrays = tuple(scores.cpu().numpy() for scores in stacks)
            refined = yield RefineJob(refiner, arrays, image)
            stacks = [
                torch.from_numpy(new).to(old.device)
                for new, old in zip(refined, stacks, strict=True)
            ]
        else:
            stacks = [refiner.refine(scores, image, sample) for scores in stacks]
    return stacks


def _groups(entries: dict[str, dict], labels: dict[str, _Label]) -> list[list[str]]:
    """Put neighbours together that start from a background and first run the same in a worker."""
    groups: list[list[str]] = []
    shared = None
    for name, label in labels.items():
        in_worker = label.start is None and label.refiners and label.refiners[0].in_worker
        first = entries[name]['refiners'][0] if in_worker else None
        if first is not None and first == shared:
            groups[-1].append(name)
        else:
            groups.append([name])
        shared = first
    return groups


def _check_entry(name: str, entry: dict, *, made: list[str], names: list[str]) -> None:
    unknown = set(entry) - _ENTRY_KEYS
    if unknown:
        raise ValueError(
            f'Label {name!r} has unknown keys {sorted(unknown)}; known are {sorted(_ENTRY_KEYS)}.'
        )
    start = entry.get('start')
    if (start is None) == (not entry.get('background')):
        raise ValueError(
            f'Label {name!r} needs either `background` (a score beside the CAMs) or `start` (an '
            f'earlier label whose scores it continues from), got keys {sorted(entry)}.'
        )
    if start is None:
        return
    if start not in names:
        raise ValueError(f'Label {name!r} starts from {start!r}, but the labels are {names}.')
    if start not in made:
        raise ValueError(
            f'Label {name!r} starts from {start!r}, which is not made before it. List {start!r} '
            f'first; the order is {names}.'
        )
    if not entry.get('refiners'):
        raise ValueError(
            f'Label {name!r} would repeat {start!r}: give it `refiners` or leave it out.'
        )


def _check_sample(sample: SegDataSample, size: tuple[int, int], requires: frozenset[str]) -> None:
    missing = sorted({*_CAM_FIELDS, *requires} - set(sample.keys()))
    if missing:
        raise ValueError(
            f'The data sample lacks {missing}. Boxes and masks come from the data pipeline, all '
            'else from the classifier: pack the former, and set `keep` of the latter to what '
            'the generator `requires`.'
        )
    sizes = {'cams': tuple(sample.cams.shape[1:])}
    if 'background_mask' in requires:
        sizes['background_mask'] = tuple(sample.background_mask.shape[-2:])
    for name, found in sizes.items():
        if found != size:
            raise ValueError(
                f'`{name}` must have the size of the image {size}, got {found}. Resize it to the '
                'original image before making labels.'
            )
    if len(sample.cams) != len(sample.cam_label):
        raise ValueError(
            f'`cams` must have one map for each entry of `cam_label`, got {len(sample.cams)} maps '
            f'and {len(sample.cam_label)} entries.'
        )
    if not sample.cams.isfinite().all():
        raise ValueError(
            f'`cams` of {sample.get("img_path", "an image")} must be finite, got NaN or infinity. '
            'Check the checkpoint of the classifier, or whether its training diverged.'
        )
