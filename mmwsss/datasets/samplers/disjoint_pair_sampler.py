"""Batches in which each image meets one that shares no class with it."""

import itertools
from collections.abc import Iterator

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from mmwsss.registry import DATA_SAMPLERS
from mmwsss.structures import UserInputError


def pair_disjoint(present: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pair all images at random so that the two images of a pair share no class.

    Images with the most frequent classes choose first, at random among the free images without a
    common class. An image may find none: the last ones may all share a class, a class may be in
    more than half of the images, or the image may have no class. Its partner is then drawn from all
    images with classes but none in common, or failing that from all images. Apart from these
    partners, each image is in exactly one pair.

    Args:
        present: Present classes of every image, bool (N, K).
        rng: Source of all randomness.

    Returns:
        Indices of the images of every pair, int (P, 2), in random order.
    """
    order = rng.permutation(len(present))
    present = present[order]
    words = _as_words(present)
    tagged = np.any(present, axis=1)  # an image without a class is never chosen as a partner
    free = tagged.copy()
    paired = np.zeros(len(order), dtype=bool)
    common = present @ present.mean(axis=0)  # classes shared with another image, on average
    in_all_free = np.zeros(len(words), dtype=np.uint64)  # known so far; free images only get fewer
    pairs = []
    for place in np.argsort(-common, kind='stable'):
        if paired[place]:
            continue
        free[place] = False
        start = int(rng.integers(len(order)))
        partner = None
        if tagged[place] and not (words[:, place] & in_all_free).any():
            partner = _next_disjoint(words, free, place, start=start)
            if partner is None:
                in_all_free = np.bitwise_and.reduce(words.compress(free, axis=1), axis=1)
        if partner is not None:
            free[partner], paired[partner] = False, True
        else:
            partner = _next_disjoint(words, tagged, place, start=start)
        pairs.append((order[place], order[start if partner is None else partner]))
    return rng.permutation(np.array(pairs))


def _as_words(present: np.ndarray) -> np.ndarray:
    """Classes as bits, uint64 (words, N), so that comparing images compares a few numbers."""
    bits = np.packbits(present, axis=1)
    padded = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8)))
    return np.ascontiguousarray(padded.view(np.uint64).T)


def _next_disjoint(
    words: np.ndarray, candidates: np.ndarray, place: int, *, start: int
) -> int | None:
    """Return the first candidate without a common class, searching from ``start`` and wrapping."""
    for begin, end in ((start, len(candidates)), (0, start)):
        length = 64  # the candidate is mostly near
        while begin < end:
            window = slice(begin, min(begin + length, end))
            fits = candidates[window] & ~(words[:, window] & words[:, place, None]).any(axis=0)
            if fits.any():
                return begin + int(fits.argmax())
            begin, length = begin + length, 2 * length
    return None


@DATA_SAMPLERS.register_module()
class DisjointPairSampler(Sampler):
    """Draw images in pairs without a common class, for objectives that need such negatives.

    The sampler is endless, for training by iterations. Every pass through the data set has each
    image at least once; for images that have no partner left, see :func:`pair_disjoint`. Pairs are
    dealt to the processes of a distributed run in turn. With an even batch size, the two images of
    a pair are in the same batch.

    Args:
        dataset: Data set whose ``get_data_info`` returns ``gt_label`` (tags) or ``instances`` with
            ``bbox_label`` (boxes) for every image.
        seed: Seed of the order, the same in all processes; None draws one that they share.

    Raises:
        UserInputError: An image has neither tags nor boxes.
    """

    def __init__(self, dataset: BaseDataset, seed: int | None = None) -> None:
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.present = _present(dataset)
        self.indices = self._indices_of_rank()

    def _indices_of_rank(self) -> Iterator[int]:
        rng = np.random.default_rng(self.seed)
        passes = (pair_disjoint(self.present, rng).tolist() for _ in itertools.count())
        pairs = itertools.chain.from_iterable(passes)
        own = itertools.islice(pairs, self.rank, None, self.world_size)
        return itertools.chain.from_iterable(own)

    def __iter__(self) -> Iterator[int]:
        """Continue with the endless indices of this process."""
        yield from self.indices

    def skip(self, num_samples: int) -> None:
        """Continue after the first ``num_samples`` of this process, to resume without loading."""
        self.indices = itertools.islice(self._indices_of_rank(), num_samples, None)

    def __len__(self) -> int:
        """Size of the data set, as in mmengine's endless sampler."""
        return len(self.present)

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: there are no epochs."""


def _present(dataset: BaseDataset) -> np.ndarray:
    """Present classes of every image, bool (N, K)."""
    classes = [_classes_of(dataset.get_data_info(i)) for i in range(len(dataset))]
    num_classes = 1 + max((max(row) for row in classes if row), default=0)
    present = np.zeros((len(classes), num_classes), dtype=bool)
    for row, indices in zip(present, classes, strict=True):
        row[indices] = True
    return present


def _classes_of(info: dict) -> list[int]:
    if 'gt_label' in info:
        return list(info['gt_label'])
    if 'instances' in info:
        return [instance['bbox_label'] for instance in info['instances']]
    raise UserInputError(
        f'DisjointPairSampler: image {info.get("img_id", info.get("img_path"))!r} has neither tags '
        "nor boxes. Give the data set supervision='tag' or 'box', or use InfiniteSampler."
    )
