"""Objective that trains probabilities and thresholds in turn."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.models.losses.spatial_bce_loss import (
    present_rows,
    probability_over_proportion,
    probability_step_loss,
    proportion_kl,
    threshold_step_loss,
)
from mmwsss.registry import MODELS
from mmwsss.structures import (
    CAMOutputs,
    Encode,
    PhasedObjective,
    StagePlan,
    UserInputError,
    WeakDataset,
)

PHASES = ('probability', 'threshold')


@MODELS.register_module()
class SpatialBCE(PhasedObjective):
    """Spatial-BCE and the divergence from expected proportions, in two alternating phases.

    The logits are ``z = exp(T) * score_map`` with the temperatures of the context. In the phase
    ``'probability'`` the thresholds come from the expected proportions, and classifier, temperature
    and backbone learn. In the phase ``'threshold'`` the thresholds are the predicted ones and the
    probabilities are constants, so the threshold branch learns and, through it, the backbone.
    ``AlternatingPhaseHook`` switches the phases. A stage without it is refused, because its
    thresholds would never learn.

    The phases differ in which parameters have no gradient, so a distributed run needs
    ``find_unused_parameters=True`` in the config. The optimizer skips those parameters, including
    their weight decay and momentum.

    Args:
        loss_weight: Factor of Spatial-BCE.
        kl_weight: Factor of the divergence.
        official: Follow the published code where it is less robust than this one or differs from
            the paper: the divergence trains the probabilities in both phases, proportions of 0 are
            kept, and the term of absent classes has an upper bound. See
            ``losses/spatial_bce_loss.py``.

    Attributes:
        phase: ``'probability'`` at first; changed by :meth:`set_phase`.

    Shape:
        ``outputs.score_map`` (B, K, h, w), parts ``threshold_map`` (B, K, h, w) and
        ``log_temperature`` (K,); samples with ``gt_label`` (n,) and ``gt_proportion`` float64
        (K,); the losses ``loss_spatial_bce`` and ``loss_proportion_kl`` are (), as is
        ``probability_over_proportion``, which is for the log and ``CollapseHook``.

    Raises:
        ValueError: If the score map has a channel for background.
        UserInputError: If a sample has no ``gt_proportion``, or one of the wrong length.

    Source: Wu et al., "Adaptive Spatial-BCE Loss for Weakly Supervised Semantic Segmentation",
        ECCV 2022, section 3.
    """

    requires: tuple[str, ...] = ('threshold_map', 'log_temperature')
    reports: tuple[str, ...] = ('probability_over_proportion',)

    def __init__(
        self, *, loss_weight: float = 1.0, kl_weight: float = 1.0, official: bool = False
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.kl_weight = kl_weight
        self.official = official
        self.phase = PHASES[0]

    @classmethod
    def check(cls, options: Mapping[str, Any], key: str, stage: StagePlan) -> None:
        """Refuse a training stage without the hook that switches phases or without proportions."""
        super().check(options, key, stage)
        for dataset in stage.parts(WeakDataset) if stage.task == 'train' else ():
            file_key = f'{dataset.key}.proportion_file'
            known = 'proportion_file' in signature(dataset.kind).parameters
            given = dataset.options.get('proportion_file') or file_key in stage.taken
            if dataset.key.startswith('train_dataloader') and known and not given:
                raise UserInputError(
                    f'{file_key} = {dataset.options.get("proportion_file")!r}, but {cls.__name__} '
                    'needs the foreground proportions of the images. Let the stage take them from '
                    "a label stage with proportions=('<label>',), or name a file that "
                    'tools/analysis_tools/estimate_proportions.py wrote.'
                )

    def set_phase(self, phase: str) -> None:
        """Choose what learns, ``'probability'`` or ``'threshold'``."""
        if phase not in PHASES:
            raise ValueError(f'phase must be one of {PHASES}, got {phase!r}.')
        self.phase = phase

    def forward(
        self,
        outputs: CAMOutputs,
        data_samples: list[SegDataSample],
        encode: Encode,
    ) -> dict[str, Tensor]:
        """Score all positions."""
        threshold_map = outputs.parts['threshold_map']
        num_classes = threshold_map.shape[1]
        if outputs.score_map.shape[1] != num_classes:
            raise ValueError(
                f'SpatialBCE expected {num_classes} score channels, one per foreground class, got '
                f'{outputs.score_map.shape[1]}. Choose a pooling without background, and the same '
                '`num_classes` in head and context.'
            )
        proportions = _stack_proportions(data_samples, num_classes)
        present = present_rows([sample.gt_label for sample in data_samples], num_classes)
        scale = outputs.parts['log_temperature'].exp().view(-1, 1, 1)
        logits = outputs.score_map.float() * scale
        kl_logits = logits
        if self.phase == 'probability':
            loss = probability_step_loss(logits, proportions, present, official=self.official)
        else:
            loss = threshold_step_loss(logits, threshold_map, present)
            if not self.official:
                # As in the paper, the probabilities get no gradient in this phase.
                kl_logits = logits.detach()
        divergence = proportion_kl(kl_logits, proportions, present, official=self.official)
        return {
            'loss_spatial_bce': self.loss_weight * loss,
            'loss_proportion_kl': self.kl_weight * divergence,
            'probability_over_proportion': probability_over_proportion(
                logits, proportions, present
            ),
        }


def _stack_proportions(data_samples: list[SegDataSample], num_classes: int) -> Tensor:
    """Expected proportions of all images, float64 (B, K)."""
    for sample in data_samples:
        found = tuple(sample.gt_proportion.shape) if 'gt_proportion' in sample else None
        if found != (num_classes,):
            what = 'is missing' if found is None else f'has shape {found}'
            raise UserInputError(
                f'{sample.get("img_path", "A data sample")}: `gt_proportion` {what}, expected one '
                f'number per class, ({num_classes},). Set '
                '`train_dataloader.dataset.proportion_file` to the proportions of pseudo labels, '
                'written by a label stage or by tools/analysis_tools/estimate_proportions.py.'
            )
    return torch.stack([sample.gt_proportion for sample in data_samples]).double()
