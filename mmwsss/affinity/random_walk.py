"""Random walk of scores on the feature grid.

Legend: B images, R rows of scores, K offsets of the stencil, h x w feature grid, N = hw cells.
"""

import math
import warnings
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from mmwsss.affinity.stencil import stencil_mask, stencil_offsets


@torch.no_grad()
def random_walk(
    scores: Tensor, affinities: Tensor, *, radius: int, beta: float, log_steps: int
) -> Tensor:
    r"""Replace the scores of every cell by their mean over neighbours, many times.

    .. math:: M\,T^{2^s}, \quad T_{ij} = W_{ij} / \sum_k W_{kj}, \quad W = A^{\circ\beta}

    with A the symmetric matrix of the affinities and ones on its diagonal. The power is exact to
    rounding and no N x N matrix is made: a sparse matrix is applied :math:`O(2^{s/2})` times, see
    :func:`chebyshev_coefficients`. A cell without neighbours keeps its scores, and no score leaves
    the range of its row. There is no gradient.

    Args:
        scores: M, (B, R, h, w).
        affinities: Affinity of cell p and cell p + offset k, (B, K, h, w); 0 where there is no
            pair. Those that lead out of the grid are not read.
        radius: Radius of the stencil in cells, see :func:`stencil_offsets`.
        beta: Power of the affinities, > 0. The larger, the less passes between unlike cells.
        log_steps: s, the binary logarithm of the number of steps.

    Returns:
        Scores (B, R, h, w), float64 for scores in float64 and otherwise float32.

    Raises:
        ValueError: If shapes do not match, a value is not finite, an affinity is negative, or
            ``beta`` or ``log_steps`` is out of range.

    Source:
        Ahn and Kwak, "Learning Pixel-level Semantic Affinity with Image-level Supervision for
        Weakly Supervised Semantic Segmentation", CVPR 2018, Sec. 3.3, eq. 4-5. Differs from the
        published code in how it is computed, not in what.
    """
    _check(scores, affinities, radius=radius, beta=beta, log_steps=log_steps)
    dtype = torch.promote_types(scores.dtype, torch.float32)
    start = scores.to(dtype).flatten(2).mT.contiguous()  # (B, N, R), a cell's scores side by side
    step = _step_matrix(affinities.to(dtype) ** beta, radius)
    coefficients = chebyshev_coefficients(2**log_steps, dtype)
    walked = _apply_polynomial(step, start.flatten(0, 1), coefficients).view(start.shape)
    walked = torch.clamp(walked, start.amin(dim=1, keepdim=True), start.amax(dim=1, keepdim=True))
    return walked.mT.reshape(scores.shape)


@lru_cache(maxsize=8)
def chebyshev_coefficients(power: int, dtype: torch.dtype) -> tuple[float, ...]:
    r"""Coefficients c of ``x^power = sum_j c_j T_j(x)`` for x in [-1, 1], as many as count.

    .. math:: c_j = 2^{1-s} \binom{s}{(s - j) / 2} \text{ for even } s - j > 0, j > 0

    (half of it for j = 0) is the probability that s steps to the left or right, at random, end at a
    distance j. Distances beyond some :math:`\sqrt{2 s \ln(2 / \epsilon)}` are less likely than
    :math:`\epsilon`, here an eighth of the rounding error: of power 256, degree 96 is left in
    single and 140 in double precision. The coefficients sum to 1.

    Args:
        power: s, at least 1.
        dtype: Precision in which the polynomial is going to be evaluated.

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
    """Transpose of T, of all images as blocks of one sparse matrix (BN, BN); weights (B, K, h, w).

    Its rows sum to 1. It is similar to a symmetric matrix, so its eigenvalues are in [-1, 1].
    """
    pattern = _pattern(*weights.shape[:1], *weights.shape[2:], radius, weights.device)
    flat = weights.reshape(-1)
    values = torch.cat([flat, flat.new_ones(1)]).index_select(0, pattern.sources)
    # In double precision, because every step repeats the error of a row that does not sum to 1.
    values = values.double()
    row_sums = _sparse(pattern, values) @ values.new_ones(len(pattern.row_starts) - 1, 1)
    values /= row_sums.squeeze(1).index_select(0, pattern.rows)
    return _sparse(pattern, values.to(weights.dtype))


class _Pattern(NamedTuple):
    """Where the entries of a sparse matrix are (CSR), and which weight each of them takes."""

    row_starts: Tensor
    rows: Tensor
    columns: Tensor
    sources: Tensor


# Images of a data set have few sizes.
@lru_cache(maxsize=8)
def _pattern(batch: int, height: int, width: int, radius: int, device: torch.device) -> _Pattern:
    """Say for every cell which cells are around it, itself included, in row-major order.

    The matrix of a 2 x 3 grid and radius 2, whose offsets are k = 0: (0, 1), 1: (1, -1), 2: (1, 0)
    and 3: (1, 1). Entry k@p is the weight of the pair of cell p and p + offset k; its source is
    kN + p. Entry 1 is that of a cell with itself, whose source comes after all weights::

        cells of the grid        column 0    1    2    3    4    5
            0  1  2       row 0   1   0@0   .   2@0  3@0   .
            3  4  5       row 1  0@0   1   0@1  1@1  2@1  3@1
                          row 2   .   0@1   1    .   1@2  2@2
                          row 3  2@0  1@1   .    1   0@3   .
                          row 4  3@0  2@1  1@2  0@3   1   0@4
                          row 5   .   3@1  2@2   .   0@4   1

    Right of the diagonal stand a cell's pairs with cells after it, in the order of the offsets;
    left of it those with cells before it, in reverse, which are stored at those cells. Further
    images follow as blocks along the diagonal.
    """
    offsets = stencil_offsets(radius)
    num_cells = height * width
    after = stencil_mask((height, width), radius=radius, device=device).flatten(1)  # (K, N)
    shifts = [dy * width + dx for dy, dx in offsets]
    # The pair of p - offset and p is stored at p - offset.
    before = torch.stack([row.roll(s) for row, s in zip(after, shifts, strict=True)])
    exists = torch.cat([before.flip(0), torch.ones_like(after[:1]), after]).T  # (N, 2K+1)
    cells = torch.arange(num_cells, device=device)
    shift = torch.tensor(shifts, device=device)[:, None]
    layer = num_cells * torch.arange(len(offsets), device=device)[:, None]
    one = torch.full_like(cells[None], -1)
    columns = torch.cat([(cells - shift).flip(0), cells[None], cells + shift]).T[exists]
    sources = torch.cat([(layer + cells - shift).flip(0), one, layer + cells]).T[exists]
    rows = cells.repeat_interleave(exists.sum(dim=1))
    image = torch.arange(batch, device=device)[:, None]
    last = batch * len(offsets) * num_cells  # where the one of the diagonal is
    sources = torch.where(sources < 0, last, sources + image * len(offsets) * num_cells)
    rows, columns = (index + image * num_cells for index in (rows, columns))
    row_starts = rows.new_zeros(batch * num_cells + 1)
    row_starts[1:] = rows.flatten().bincount(minlength=batch * num_cells).cumsum(0)
    # 32 bits are a third faster, and enough for 30 million cells.
    return _Pattern(*(i.flatten().int() for i in (row_starts, rows, columns, sources)))


def _sparse(pattern: _Pattern, values: Tensor) -> Tensor:
    side = len(pattern.row_starts) - 1
    with warnings.catch_warnings():
        # "Sparse CSR tensor support is in beta state", once a process.
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
            'for both: 2**8 steps.'
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
            'over the image. Check the class activation maps of this image.'
        )
    if not (affinities.isfinite() & (affinities >= 0)).all():
        raise ValueError(
            'Affinities must be finite and >= 0, got others. Check the checkpoint of the affinity '
            'network.'
        )
