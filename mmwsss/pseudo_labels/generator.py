"""Makes pseudo labels from class activation maps, without files or a runner."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.pseudo_labels.generator_checks import (
    check_entry,
    check_finite,
    check_label,
    check_sample,
    check_shape,
)
from mmwsss.pseudo_labels.label_maps import LabelMaps, RefineJob, Steps
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import (
    BACKGROUND,
    Background,
    Labeler,
    LabelPart,
    Normalizer,
    Refiner,
    check_contract,
    to_seg_label,
)


@dataclass(frozen=True)
class _Label:
    """Parts that make one label map; ``background`` is None if ``start`` is given."""

    start: str | None
    background: Background | None
    refiners: tuple[Refiner, ...]
    labeler: Labeler


@TASK_UTILS.register_module()
class PseudoLabelGenerator:
    """Make named label maps of an image from its class activation maps.

    Each label starts from ``[background; normalised CAMs]`` or from the scores of an earlier label,
    passes through its refiners in order, and ends in its labeler. Labels are made in the given
    order; the CAMs are normalised once.

    Args:
        labels: For each label name, a dict with ``background`` (config) or ``start`` (name of an
            earlier label), ``refiners`` (list of configs), and ``labeler`` (config, by default
            :class:`ArgmaxLabeler`).
        normalize: Config of the normalizer; without one, the CAMs are used unchanged.

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

    def __init__(self, *, labels: dict[str, dict], normalize: dict | None = None) -> None:
        if not labels:
            raise ValueError('`labels` must define at least one label map, got none.')
        self.normalizer = _build(normalize, Normalizer, 'normalize') if normalize else None
        self._without_class = 0
        self.labels: dict[str, _Label] = {}
        for name, entry in labels.items():
            check_entry(name, entry, made=list(self.labels), names=list(labels))
            self.labels[name] = _build_label(name, entry)
        self._groups = _groups(labels, self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the label maps, in the order in which they are made."""
        return tuple(self.labels)

    @property
    def requires(self) -> frozenset[str]:
        """Fields of the data sample that any part needs besides the CAMs."""
        return frozenset(field for part in self._parts() for field in part.requires)

    @property
    def files(self) -> tuple[str, ...]:
        """Files and folders whose content affects the labels, such as checkpoints of parts."""
        return tuple(file for part in self._parts() for file in part.files)

    @property
    def counts(self) -> dict[str, int]:
        """Number of special images so far: those without a class, and those that parts count."""
        counts = {'without_class': self._without_class}
        for part in self._parts():
            for what, count in part.counts.items():
                # Parts of several labels saw the same images.
                counts[what] = max(counts.get(what, 0), count)
        return counts

    def check_images(self, img_ids: Sequence[str]) -> None:
        """Let parts refuse files that belong to none of the images to be labelled.

        Raises:
            UserInputError: Naming the part and its files.
        """
        for part in self._parts():
            part.check_images(img_ids)

    def _parts(self) -> list[LabelPart]:
        parts: list[LabelPart | None] = [self.normalizer]
        for label in self.labels.values():
            parts += [label.background, *label.refiners, label.labeler]
        return [part for part in parts if part is not None]

    def generate(self, sample: SegDataSample, image: np.ndarray) -> dict[str, np.ndarray]:
        """Make all label maps of an image in this process.

        Args:
            sample: ``cams`` (n, H, W), ``cam_label`` (n,) and the fields in :attr:`requires`.
            image: Original image, RGB uint8 (H, W, 3).

        Returns:
            Label map of each name, uint8 (H, W). An image without a present class is background.

        Raises:
            ValueError: If a field is missing, sizes do not match, or the CAMs are not finite.
            UserInputError: If a part returns something that its contract does not allow.
        """
        return self.make(sample, image).labels

    def make(self, sample: SegDataSample, image: np.ndarray) -> LabelMaps:
        """Do the same as :meth:`generate`, and also return the scores behind the label maps."""
        steps = self.steps(sample, image)
        refined: Any = None
        while True:
            try:
                job = steps.send(refined)
            except StopIteration as finished:
                return finished.value
            refined = job()

    @torch.no_grad()
    def steps(self, sample: SegDataSample, image: np.ndarray) -> Steps:
        """Do the same as :meth:`generate`, but yield jobs that may run elsewhere.

        The results of a job are sent back. The value of the final ``StopIteration`` is
        :class:`LabelMaps`.
        """
        size = image.shape[:2]
        check_sample(sample, size, self.requires)
        cams = sample.cams.float()
        if len(sample.cam_label) == 0:
            return self._background_alone(cams, sample)
        if self.normalizer is not None:
            cams = self.normalizer.normalize(cams, sample)
            check_shape(self.normalizer, cams, (len(sample.cam_label), *size))
        scores: dict[str, Tensor] = {}
        for names in self._groups:
            group = [self.labels[name] for name in names]
            stacks = [
                _with_background(label.background, cams, sample)
                if label.background is not None
                else scores[str(label.start)]
                for label in group
            ]
            stacks = yield from _refine(group[0].refiners[:1], stacks, image, sample)
            for name, label, stack in zip(names, group, stacks, strict=True):
                refined = yield from _refine(label.refiners[1:], [stack], image, sample)
                scores[name] = refined[0]
        labels = {
            name: _label_map(name, label.labeler, scores[name], sample)
            for name, label in self.labels.items()
        }
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


def _build(config: dict, contract: type, key: str) -> Any:
    return check_contract(TASK_UTILS.build(config), contract, key)


def _build_label(name: str, entry: dict) -> _Label:
    key, background = f'labels.{name}', entry.get('background')
    labeler = entry.get('labeler') or dict(type='ArgmaxLabeler')
    refiners = enumerate(entry.get('refiners', ()))
    return _Label(
        start=entry.get('start'),
        background=_build(background, Background, f'{key}.background') if background else None,
        refiners=tuple(_build(cfg, Refiner, f'{key}.refiners.{i}') for i, cfg in refiners),
        labeler=_build(labeler, Labeler, f'{key}.labeler'),
    )


def _with_background(background: Background, cams: Tensor, sample: SegDataSample) -> Tensor:
    score = background.background(cams, sample)
    check_shape(background, score, (1, *cams.shape[1:]))
    return torch.cat([score, cams])


def _label_map(name: str, labeler: Labeler, scores: Tensor, sample: SegDataSample) -> np.ndarray:
    check_finite(name, scores)
    label = labeler(scores, sample)
    check_shape(labeler, label, scores.shape[1:])
    found = label.cpu().numpy()
    check_label(labeler, found, to_seg_label(sample.cam_label).tolist())
    return found


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
        for scores in stacks:
            check_shape(refiner, scores, (1 + len(sample.cam_label), *image.shape[:2]))
    return stacks


def _groups(entries: dict[str, dict], labels: dict[str, _Label]) -> list[list[str]]:
    """Group consecutive labels that start from a background and first run the same worker job."""
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
