"""Renews the centroids of a classifier's context from its memory of regions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce, get_dist_info
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from torch import Tensor

from mmwsss.engine.hooks.training_parts import memories_of
from mmwsss.models.checkpoint_fit import base_model
from mmwsss.models.contexts.centroid_context import CentroidContext
from mmwsss.models.regions import RegionMemory
from mmwsss.registry import HOOKS
from mmwsss.structures import Checked, StagePlan, UserInputError


def class_centroids(
    slots: Tensor, filled: Tensor, *, num_centroids: int, seed: int
) -> tuple[Tensor, Tensor]:
    """K-means of the filled slots of every class, on the CPU.

    Non-finite slots are left out. If a class has no more distinct slots than centroids, these slots
    become its centroids.

    Args:
        slots: Embeddings, (K, M, C).
        filled: Which slots hold an embedding, bool (K, M).
        num_centroids: N.
        seed: Seed for the initial centroids; the same slots and seed give the same centroids.

    Returns:
        Centroids, float32 (K, N, C), 0 where invalid, and which ones are valid, bool (K, N).
    """
    num_classes, _, channels = slots.shape
    centroids = torch.zeros(num_classes, num_centroids, channels)
    valid = torch.zeros(num_classes, num_centroids, dtype=torch.bool)
    rows = slots.detach().float().cpu().numpy()
    stored = filled.cpu().numpy() & np.isfinite(rows).all(axis=2)
    for index in np.flatnonzero(stored.any(axis=1)):
        found = _k_means(rows[index, stored[index]], num_centroids, seed)
        centroids[index, : len(found)] = torch.from_numpy(found)
        valid[index, : len(found)] = True
    return centroids, valid


def _k_means(rows: np.ndarray, num_clusters: int, seed: int) -> np.ndarray:
    """Centres (at most ``num_clusters``, C) of rows (m, C)."""
    rows = rows + 0.0  # -0 becomes 0, so that equal rows have the same bytes
    if len({row.tobytes() for row in rows}) <= num_clusters:  # much faster than sorting the rows
        return np.unique(rows, axis=0)
    from sklearn.cluster import KMeans  # slow to import and seldom needed
    from threadpoolctl import threadpool_limits

    # One thread clusters so few rows fastest. Several threads wait for each other, for seconds if
    # other processes take the cores.
    with threadpool_limits(1):
        return KMeans(num_clusters, n_init=1, random_state=seed).fit(rows).cluster_centers_


@HOOKS.register_module()
class RegionCentroidsHook(Hook, Checked):
    """Give a context such as ``SemanticAggregation`` the centroids of a memory of regions.

    Before iterations ``begin``, ``begin + interval``, ... the filled slots of every class of
    ``objective.memory`` are clustered. The processes have equal memories and share the classes. The
    iterations depend only on ``runner.iter``, and between them the centroids are saved with the
    model, so a resumed run continues exactly. While the memory is empty, nothing changes. The
    context's figures on the use of its centroids are logged.

    Args:
        begin: First iteration, counted from 0, that has centroids.
        interval: Iterations after which centroids are renewed; one epoch in the published code.

    Raises:
        ValueError: If ``begin`` is negative or ``interval`` below 1.
        UserInputError: If none or several objectives have a memory, the context takes no centroids,
            the two do not match, or training ends before ``begin``.

    Source: Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly Supervised Semantic
        Segmentation", CVPR 2022, section 3.2, K-means. Differs from the published code: k-means is
        seeded and has one start of k-means++, as in newer versions of scikit-learn (older ones have
        ten).
    """

    def __init__(self, *, begin: int, interval: int) -> None:
        if begin < 0 or interval < 1:
            raise ValueError(
                f'begin must be >= 0 and interval >= 1, got begin={begin}, interval={interval}.'
            )
        self.begin = begin
        self.interval = interval

    @classmethod
    def check(cls, options: Mapping[str, Any], key: str, stage: StagePlan) -> None:
        """Refuse a training stage without a context for centroids or with too few iterations."""
        if stage.task != 'train':
            return
        _refuse_none(stage.parts(CentroidContext))
        if 'begin' in options and stage.max_iters is not None:
            _refuse_late(options['begin'], stage.max_iters)

    def before_train(self, runner: Runner) -> None:
        """Check that there are a memory and a context, and that training reaches the clustering."""
        memory, context = _memory_of(runner), _context_of(runner)
        (num_classes, _, channels), wanted = memory.slots.shape, context.centroids.shape
        if (num_classes, channels) != (wanted[0], wanted[2]):
            raise UserInputError(
                f'RegionCentroidsHook: the memory has num_classes={num_classes} and '
                f'channels={channels}, but the context has {wanted[0]} and {wanted[2]}. Give the '
                'objective and `model.head.context` the same `num_classes` and channels.'
            )
        _refuse_late(self.begin, runner.max_iters)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """Renew the centroids if it is time."""
        if runner.iter < self.begin or (runner.iter - self.begin) % self.interval:
            return
        memory, context = _memory_of(runner), _context_of(runner)
        rank, world_size = get_dist_info()
        own = slice(rank, None, world_size)
        found, valid = class_centroids(
            memory.slots[own], memory.filled[own], num_centroids=context.valid.shape[1], seed=0
        )
        centroids = torch.zeros_like(context.centroids)
        # Sent as numbers, because not every backend sends booleans.
        flags = torch.zeros_like(context.valid, dtype=torch.uint8)
        centroids[own], flags[own] = found.to(centroids), valid.to(flags)
        all_reduce(centroids)
        all_reduce(flags)
        if flags.any():
            context.set_centroids(centroids, flags.bool())

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Any = None
    ) -> None:
        """Log how the centroids are used once there are any."""
        if runner.iter < self.begin:
            return
        for name, value in _context_of(runner).diagnostics.items():
            runner.message_hub.update_scalar(f'train/{name}', value)


def _memory_of(runner: Runner) -> RegionMemory:
    memories = memories_of(runner)
    if len(memories) != 1:
        raise UserInputError(
            'RegionCentroidsHook: expected one objective with a memory of regions, found '
            f'{len(memories)}. Remove the hook from `custom_hooks`, or have one objective such as '
            'RegionContrast in `model.objectives`.'
        )
    return memories[0]


def _context_of(runner: Runner) -> CentroidContext:
    found = [one for one in base_model(runner.model).modules() if isinstance(one, CentroidContext)]
    _refuse_none(found)
    return found[0]


def _refuse_none(contexts: Sequence[object]) -> None:
    if not contexts:
        raise UserInputError(
            'RegionCentroidsHook: the model has no context that takes centroids. Remove the hook '
            "from `custom_hooks`, or set `model.head.context` to dict(type='SemanticAggregation', "
            '...).'
        )


def _refuse_late(begin: int, max_iters: int) -> None:
    if begin >= max_iters:
        raise UserInputError(
            f'RegionCentroidsHook: there would never be centroids, because begin={begin} is not '
            f'below the number of training iterations, {max_iters}. Set a smaller `begin` in '
            '`custom_hooks`, or train longer.'
        )
