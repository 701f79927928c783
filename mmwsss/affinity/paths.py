"""Paths between a cell and its neighbour, and how to build them from shorter paths."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, combinations, count, permutations
from typing import NamedTuple

from mmwsss.affinity.stencil import stencil_offsets

Offset = tuple[int, int]
Cells = frozenset[tuple[int, int]]
CELL = -1  # the source of a piece that is a single cell


class Piece(NamedTuple):
    """A path that is part of a longer one.

    Attributes:
        source: Number of its offset, or `CELL`.
        shift: Cell of the longer path at which it starts, (y, x).
    """

    source: int
    shift: Offset


def path_cells(offset: Offset) -> Cells:
    r"""Cells that a boundary between a cell and its neighbour would have to cross.

    .. math:: \{(y, x) \in [0, dy] \times [0, dx]: (dy\,x - dx\,y)^2 < dy^2 + dx^2\}

    This is the band of all cells closer than 1 to the line, both ends included. For a diagonal
    neighbour it has the four cells of a block.

    Args:
        offset: (dy, dx), dy >= 0.

    Source:
        Ahn, Cho and Kwak, "Weakly Supervised Learning of Instance Segmentation with Inter-pixel
        Relations", CVPR 2019, Sec. 3.3. Differs from the paper, as the published code does: the
        paper takes the cells on the line.
    """
    dy, dx = offset
    return frozenset(
        (y, x)
        for y in range(dy + 1)
        for x in range(min(dx, 0), max(dx, 0) + 1)
        if (dy * x - dx * y) ** 2 < dy**2 + dx**2
    )


@lru_cache(maxsize=8)
def path_pieces(radius: int) -> tuple[tuple[int, tuple[Piece, ...]], ...]:
    """Write every path as the union of as few shorter paths as possible.

    The pieces may overlap. Two are enough up to radius 5, three up to radius 12.

    Args:
        radius: Radius of the stencil in cells; see :func:`stencil_offsets`.

    Returns:
        Number of each offset and its pieces, ordered so that every piece comes before the path that
        it is part of.
    """
    offsets = stencil_offsets(radius)
    paths = [path_cells(offset) for offset in offsets]
    known: dict[Offset, int] = {}
    plan = []
    for k in sorted(range(len(offsets)), key=lambda k: len(paths[k])):
        parts = _parts(paths[k], known, paths)
        plan.append((k, tuple(parts[cells] for cells in _smallest_cover(paths[k], parts))))
        known[offsets[k]] = k
    return tuple(plan)


def _parts(path: Cells, known: Mapping[Offset, int], paths: Sequence[Cells]) -> dict[Cells, Piece]:
    """Find the single cells and the known paths that lie within a path, by their cells."""
    parts = {frozenset([cell]): Piece(CELL, cell) for cell in path}
    for (y, x), (y2, x2) in permutations(sorted(path), 2):
        source = known.get((y2 - y, x2 - x))
        if source is not None:
            cells = frozenset((y + v, x + u) for v, u in paths[source])
            if cells <= path:
                parts.setdefault(cells, Piece(source, (y, x)))
    return parts


def _smallest_cover(path: Cells, parts: Iterable[Cells]) -> tuple[Cells, ...]:
    """Choose as few of the parts as possible whose union is the path."""
    maximal: list[Cells] = []
    for cells in sorted(parts, key=len, reverse=True):
        if not any(cells <= larger for larger in maximal):
            maximal.append(cells)
    covers = chain.from_iterable(combinations(maximal, number) for number in count(1))
    return next(cover for cover in covers if frozenset().union(*cover) == path)
