"""Random walk of scores on the feature grid.

Legend: B images, R rows of scores, K offsets of the stencil, h x w feature grid, N = hw cells.
"""

import math
import warnings
from collections import OrderedDict
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmwsss.affinity.stencil import stencil_offsets


@torch.no_grad()
def random_walk(
    scores: Tensor, affinities: Tensor, *, radius: int, beta: float, log_steps: int
) -> Tensor:
    r"""Repeatedly replace the scores of every cell by their weighted mean over its neighbours.

    .. math:: M\,T^{2^s}, \quad T_{ij} = W_{ij} / \sum_k W_{kj}, \quad W = A^{\circ\beta}

    where A is the symmetric matrix of the affinities, with ones on its diagonal. The power is exact
    up to rounding, but no N x N matrix is made: a sparse matrix is applied :math:`O(2^{s/2})`
    times, see :func:`chebyshev_coefficients`. A cell without neighbours keeps its scores, and no
    score leaves the range of its row. There is no gradient.

    Args:
        scores: M, (B, R, h, w).
        affinities: Affinity of cell p and cell p + offset k, (B, K, h, w); 0 where there is no
            pair. Affinities that lead out of the grid are not read.
        radius: Radius of the stencil in cells; see :func:`stencil_offsets`.
        beta: Power of the affinities, > 0. Larger values pass less between dissimilar cells.
        log_steps: s, the binary logarithm of the number of steps.

    Returns:
        Scores (B, R, h, w), float64 for scores in float64, otherwise float32.

    Raises:
        ValueError: If shapes do not match, a value is not finite, an affinity is negative, or
            ``beta`` or ``log_steps`` is out of range.

    Source:
        Ahn and Kwak, "Learning Pixel-level Semantic Affinity with Image-level Supervision for
        Weakly Supervised Semantic Segmentation", CVPR 2018, Sec. 3.3, eq. 4-5. Differs from the
        published code only in how the result is computed.
    """
    _check(scores, affinities, radius=radius, beta=beta, log_steps=log_steps)
    dtype = torch.promote_types(scores.dtype, torch.float32)
    start = scores.to(dtype).flatten(2).mT.contiguous()  # (B, N, R), a cell's scores side by side
    coefficients = chebyshev_coefficients(2**log_steps, dtype)
    with torch.autocast(scores.device.type, enabled=False):
        step = _step_matrix(affinities.to(dtype) ** beta, radius)
        walked = _apply_polynomial(step, start.flatten(0, 1), coefficients).view(start.shape)
    walked = torch.clamp(walked, start.amin(dim=1, keepdim=True), start.amax(dim=1, keepdim=True))
    return walked.mT.reshape(scores.shape)


@lru_cache(maxsize=8)
def chebyshev_coefficients(power: int, dtype: torch.dtype) -> tuple[float, ...]:
    r"""Coefficients c of ``x^power = sum_j c_j T_j(x)`` for x in [-1, 1], without negligible ones.

    .. math:: c_j = 2^{1-s} \binom{s}{(s - j) / 2} \text{ for even } s - j > 0, j > 0

    (half of it for j = 0) is the probability that s random steps to the left or right end at a
    distance j. Distances beyond :math:`\sqrt{2 s \ln(2 / \epsilon)}` are less likely than
    :math:`\epsilon`, here an eighth of the rounding error. For power 256 this leaves degree 96 in
    single and 140 in double precision. The coefficients sum to 1.

    Args:
        power: s, at least 1.
        dtype: Precision in which the polynomial will be evaluated.

    Source:
        Sachdeva and Vishnoi, "Faster Algorithms via Approximation Theory", Foundations and Trends
        in Theoretical Computer Science 9(2), 2014, chapter 3.
    """
    epsilon = torch.finfo(dtype).eps / 8
    degree = min(power, math.isqrt(int(2 * power * math.log(2 / epsilon))))
    distances = torch.arange(power % 2, degree + 1, 2, dtype=torch.float64)
    # Neighbouring binomials have a simple ratio; the smallest ones may underflow.
    ratios = (power - distances[:-1]) / (power + distances[:-1] + 2)
    likely = torch.cat([ratios.new_ones(1), ratios]).cumprod(dim=0)
    if power % 2 == 0:
        likely[0] /= 2
    coefficients = likely.new_zeros(2 * len(likely) - 1 + power % 2)
    coefficients[power % 2 :: 2] = likely / likely.sum()
    return tuple(coefficients.tolist())


def _apply_polynomial(step: Tensor, start: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """Sum c_j T_j(step) start, for a sparse matrix (n, n) and a dense one (n, R)."""
    # T_0 = 1, T_1 = x, T_(j+1) = 2 x T_j - T_(j-1)
    previous, current = start.clone(), step @ start
    total = coefficients[0] * start + coefficients[1] * current
    for coefficient in coefficients[2:]:
        previous.addmm_(step, current, beta=-1, alpha=2)
        previous, current = current, previous
        if coefficient:
            total.add_(current, alpha=coefficient)
    return total


def _step_matrix(weights: Tensor, radius: int) -> Tensor:
    """Transposed T of all images, as blocks of one sparse matrix (BN, BN); weights (B, K, h, w).

    Its rows sum to 1. It is similar to a symmetric matrix, so its eigenvalues are in [-1, 1].
    """
    batch, _, height, width = weights.shape
    pattern = _pattern(batch, height, width, radius, weights.device)
    flat = weights.reshape(-1)
    values = torch.cat([flat, flat.new_ones(1)]).index_select(0, pattern.sources)
    # In double precision, because every step repeats the error of a row that does not sum to 1.
    values = values.double()
    row_sums = _sparse(pattern, values) @ values.new_ones(len(pattern.row_starts) - 1, 1)
    values /= row_sums.squeeze(1).index_select(0, pattern.rows)
    return _sparse(pattern, values.to(weights.dtype))


class _Pattern(NamedTuple):
    """Positions of the entries of a sparse matrix (CSR), and the weight that each of them takes."""

    row_starts: Tensor
    rows: Tensor
    columns: Tensor
    sources: Tensor


# VOC images have about a hundred sizes; a pattern with stride 8 and radius 5 takes 2 MB.
_MOST_BYTES = 256 * 2**20
_patterns: OrderedDict[tuple, _Pattern] = OrderedDict()


def _pattern(batch: int, height: int, width: int, radius: int, device: torch.device) -> _Pattern:
    """Return the pattern of a grid; the most recently used ones are kept."""
    key = (batch, height, width, radius, device)
    if key not in _patterns:
        _patterns[key] = _make_pattern(*key)
        while len(_patterns) > 1 and sum(map(_bytes_of, _patterns.values())) > _MOST_BYTES:
            _patterns.popitem(last=False)
    _patterns.move_to_end(key)
    return _patterns[key]


def _bytes_of(pattern: _Pattern) -> int:
    return sum(index.nbytes for index in pattern)


def _make_pattern(
    batch: int, height: int, width: int, radius: int, device: torch.device
) -> _Pattern:
    """List the cells around every cell, itself included, in row-major order.

    This is the matrix of a 2 x 3 grid with radius 2, whose offsets are k = 0: (0, 1), 1: (1, -1),
    2: (1, 0) and 3: (1, 1). Entry k@p is the weight of the pair of cell p and p + offset k, with
    source kN + p. Entry 1 pairs a cell with itself; its source comes after all weights::

        cells of the grid        column 0    1    2    3    4    5
            0  1  2       row 0   1   0@0   .   2@0  3@0   .
            3  4  5       row 1  0@0   1   0@1  1@1  2@1  3@1
                          row 2   .   0@1   1    .   1@2  2@2
                          row 3  2@0  1@1   .    1   0@3   .
                          row 4  3@0  2@1  1@2  0@3   1   0@4
                          row 5   .   3@1  2@2   .   0@4   1

    Right of the diagonal are a cell's pairs with later cells, in the order of the offsets. Left of
    it are the pairs with earlier cells, in reverse order; their weights are stored at those earlier
    cells. Further images follow as blocks along the diagonal.
    """
    # On the host, so that nothing waits for the device: the number of entries depends on values.
    after = np.array(stencil_offsets(radius))  # (K, 2)
    num_offsets, num_cells = len(after), height * width
    around = np.concatenate([-after[::-1], np.zeros_like(after[:1]), after])  # (2K+1, 2)
    inside = [
        (place >= 0) & (place < side)
        for side, place in (
            (height, np.arange(height)[:, None] + around[:, 0]),  # (h, 2K+1)
            (width, np.arange(width)[:, None] + around[:, 1]),  # (w, 2K+1)
        )
    ]
    exists = (inside[0][:, None] & inside[1]).reshape(num_cells, len(around))
    # 32 bits are a third faster in a walk, and enough for 30 million cells.
    rows, which = (i.astype(np.int32) for i in np.divmod(np.flatnonzero(exists), len(around)))
    shift = (around @ [width, 1]).astype(np.int32)
    layer = np.abs(np.arange(-num_offsets, num_offsets + 1)) - 1
    # The pair of p - offset and p is stored at p - offset.
    source = (layer * num_cells + np.minimum(shift, 0)).astype(np.int32)
    image = np.arange(batch, dtype=np.int32)[:, None]
    sources = rows + source[which] + image * (num_offsets * num_cells)
    sources[:, which == num_offsets] = batch * num_offsets * num_cells  # the one of the diagonal
    columns = rows + shift[which] + image * num_cells
    row_starts = np.zeros(batch * num_cells + 1, dtype=np.int32)
    row_starts[1:] = np.tile(exists.sum(axis=1), batch).cumsum()
    rows = rows + image * num_cells
    return _Pattern(
        *(
            torch.from_numpy(index.reshape(-1)).to(device, non_blocking=True)
            for index in (row_starts, rows, columns, sources)
        )
    )


def _sparse(pattern: _Pattern, values: Tensor) -> Tensor:
    side = len(pattern.row_starts) - 1
    with warnings.catch_warnings():
        # "Sparse CSR tensor support is in beta state", once per process.
        warnings.filterwarnings('ignore', message='Sparse CSR', category=UserWarning)
        return torch.sparse_csr_tensor(
            pattern.row_starts, pattern.columns, values, (side, side), check_invariants=False
        )


def check_steps(beta: float, log_steps: int) -> None:
    """Refuse options of a walk that make no sense.

    Raises:
        ValueError: If ``beta`` or ``log_steps`` is out of range.
    """
    if beta <= 0 or log_steps < 0:
        raise ValueError(
            f'beta must be > 0 and log_steps >= 0, got {beta} and {log_steps}. The paper uses 8 '
            'for both, that is 2**8 steps.'
        )


def _check(scores: Tensor, affinities: Tensor, *, radius: int, beta: float, log_steps: int) -> None:
    expected = (len(scores), len(stencil_offsets(radius)), *scores.shape[2:])
    if scores.ndim != 4 or affinities.shape != expected:
        raise ValueError(
            f'Expected scores (B, R, h, w) and, with radius {radius}, affinities {expected}, got '
            f'{tuple(scores.shape)} and {tuple(affinities.shape)}.'
        )
    check_steps(beta, log_steps)
    if not scores.isfinite().all():
        raise ValueError(
            'The scores of a random walk must be finite, got NaN or infinity, which would spread '
            'across the image. Check the class activation maps of this image.'
        )
    if not (affinities.isfinite() & (affinities >= 0)).all():
        raise ValueError(
            'Affinities must be finite and >= 0, got NaN, infinite or negative ones. Check the '
            'checkpoint of the affinity network.'
        )
