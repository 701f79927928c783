import pytest
from reference.path_affinity import path

from mmwsss.affinity import stencil_offsets
from mmwsss.affinity.paths import CELL, path_cells, path_pieces


@pytest.mark.parametrize(
    ('offset', 'expected'),
    [
        ((0, 2), {(0, 0), (0, 1), (0, 2)}),
        ((1, 1), {(0, 0), (0, 1), (1, 0), (1, 1)}),  # the whole block
        ((1, -2), {(0, 0), (0, -1), (0, -2), (1, 0), (1, -1), (1, -2)}),
    ],
)
def test_short_paths_have_these_cells(offset, expected):
    assert path_cells(offset) == expected


def test_paths_match_the_oracle(cases_of):
    for case in cases_of('irn_paths'):
        radius = int(case['radius'])
        offsets = [tuple(offset) for offset in case['offsets'].tolist()]
        assert sorted(offsets) == sorted(stencil_offsets(radius))
        listed = case['path_cells'].split(case['path_length'].tolist())
        for offset, cells in zip(offsets, listed, strict=True):
            assert path_cells(offset) == {tuple(cell) for cell in cells.tolist()}


def test_paths_are_seldom_joined():
    maxima = {r: sum(len(pieces) - 1 for _, pieces in path_pieces(r)) for r in (5, 10)}
    assert maxima == {5: 27, 10: 159}


@pytest.mark.parametrize('radius', range(2, 13))
def test_pieces_of_earlier_paths_are_the_whole_path_and_no_more(radius):
    offsets = stencil_offsets(radius)
    made = {CELL: {(0, 0)}}
    for k, pieces in path_pieces(radius):
        made[k] = {(y + v, x + u) for source, (y, x) in pieces for v, u in made[source]}
        assert made[k] == set(path(offsets[k]))
        assert len(pieces) <= (2 if radius <= 5 else 3)
    assert len(made) == 1 + len(offsets)
