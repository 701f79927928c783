import pytest
import torch

from mmwsss.affinity import stencil_mask, stencil_offsets
from mmwsss.affinity.stencil import stencil_windows


def test_the_smallest_stencil_is_half_of_the_eight_cells_around():
    assert stencil_offsets(2) == ((0, 1), (1, -1), (1, 0), (1, 1))


def test_radius_5_has_34_offsets_the_first_in_the_own_row():
    offsets = stencil_offsets(5)
    assert len(offsets) == 34
    assert offsets[:5] == ((0, 1), (0, 2), (0, 3), (0, 4), (1, -4))


def test_the_offsets_and_their_opposites_are_the_disc_without_its_centre():
    both = [offset for dy, dx in stencil_offsets(4) for offset in ((dy, dx), (-dy, -dx))]
    reach = range(-4, 5)
    disc = {(dy, dx) for dy in reach for dx in reach if 0 < dy * dy + dx * dx < 16}
    assert len(both) == len(disc)
    assert set(both) == disc


@pytest.mark.parametrize('radius', [1, 0, -3])
def test_a_radius_without_neighbours_is_refused(radius):
    with pytest.raises(ValueError, match=f'radius must be >= 2 cells.*got {radius}'):
        stencil_offsets(radius)


@pytest.mark.parametrize(('official_border', 'pairs'), [(False, 93314), (True, 80410)])
def test_a_grid_of_47_by_63_has_the_known_number_of_pairs(official_border, pairs):
    mask = stencil_mask((47, 63), radius=5, official_border=official_border)
    assert mask.shape == (34, 47, 63)
    assert int(mask.sum()) == pairs


def cells_without_neighbour(mask, *, radius):
    height, width = mask.shape[1:]
    has_neighbour = mask.any(dim=0)
    for k, (first, second) in enumerate(stencil_windows((height, width), radius=radius)):
        has_neighbour[second] |= mask[k][first]
    return int((~has_neighbour).sum())


@pytest.mark.parametrize('size', [(47, 63), (12, 15), (3, 4), (1, 2), (7, 1)])
def test_every_cell_has_a_neighbour(size):
    assert cells_without_neighbour(stencil_mask(size, radius=5), radius=5) == 0


def test_the_published_border_leaves_ten_cells_without_neighbour():
    mask = stencil_mask((47, 63), radius=5, official_border=True)
    assert cells_without_neighbour(mask, radius=5) == 10


@pytest.mark.parametrize('size', [(12, 15), (5, 9), (3, 4), (1, 1), (2, 7)])
def test_the_mask_is_true_where_the_second_cell_is_inside(size):
    height, width = size
    mask = stencil_mask(size, radius=5)
    for k, (dy, dx) in enumerate(stencil_offsets(5)):
        for y in range(height):
            for x in range(width):
                inside = y + dy < height and 0 <= x + dx < width
                assert bool(mask[k, y, x]) == inside


@pytest.mark.parametrize('size', [(1, 1), (3, 20), (20, 3), (4, 8)])
def test_the_published_border_leaves_no_pair_on_a_tiny_map(size):
    assert not stencil_mask(size, radius=5, official_border=True).any()


@pytest.mark.parametrize('size', [(6, 8), (2, 3), (1, 1)])
def test_windows_select_the_cells_of_each_pair(size):
    height, width = size
    cells = torch.arange(height * width).view(size)
    mask = stencil_mask(size, radius=4)
    windows = stencil_windows(size, radius=4)
    for k, ((dy, dx), (first, second)) in enumerate(zip(stencil_offsets(4), windows, strict=True)):
        assert cells[first].flatten().tolist() == cells[mask[k]].tolist()
        assert (cells[second] - cells[first] == dy * width + dx).all()


def test_pairs_meet_the_published_lists(oracle):
    data = oracle('psa_pairs')
    for case in range(int(data['num_cases'])):
        get = lambda key: torch.from_numpy(data[f'c{case}_{key}'])  # noqa: B023, E731
        (height, width), radius = get('size').tolist(), int(get('radius'))
        mask = stencil_mask((height, width), radius=radius, official_border=True)
        pairs = mask.flatten(1).nonzero()  # (K * Nf, 2) of (k, cell), offset-major
        jump = torch.tensor([dy * width + dx for dy, dx in stencil_offsets(radius)])
        first = pairs[:, 1].view(len(jump), -1)
        assert (first == get('from')).all()
        assert (pairs[:, 1] + jump[pairs[:, 0]]).equal(get('to').long())
