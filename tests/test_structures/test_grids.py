import torch
from torch.testing import assert_close

from mmwsss.structures import from_grid, grid_means


def test_the_mean_of_a_cell_is_that_of_the_pixels_that_there_are():
    maps = torch.tensor([[[1.0, 3.0, 5.0], [5.0, 7.0, 9.0], [2.0, 4.0, 6.0]]])
    assert_close(grid_means(maps, 2), torch.tensor([[[4.0, 7.0], [3.0, 6.0]]]))
    assert_close(grid_means(maps, 8), torch.tensor([[[42 / 9]]]))
    assert_close(grid_means(maps, 1), maps)


def test_enlarged_maps_are_bilinear_and_cropped():
    enlarged = from_grid(torch.tensor([[[0.0, 4.0]]]), 2, (1, 3))
    assert_close(enlarged, torch.tensor([[[0.0, 1.0, 3.0]]]))
