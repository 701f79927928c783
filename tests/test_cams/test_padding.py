import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmwsss.cams.padding import Padding, crop_padding


def grid(height, width):
    return torch.arange(float(height * width)).view(1, 1, height, width)


def test_whole_cells_of_padding_are_cut_off_exactly():
    # Cells of 8 pixels; 2 of 4 rows and 3 of 4 columns are the image.
    maps = grid(4, 4)
    cropped = crop_padding(maps, (32, 32), Padding(right=8, bottom=16))
    assert torch.equal(cropped, maps[..., :2, :3])


def test_padding_on_the_left_and_top_is_cut_off_as_well():
    maps = grid(4, 4)
    cropped = crop_padding(maps, (32, 32), Padding(left=8, top=16))
    assert torch.equal(cropped, maps[..., 2:, 1:])


@pytest.mark.parametrize('align_corners', [False, True])
def test_without_padding_nothing_changes(align_corners):
    maps = grid(3, 5)
    assert_close(crop_padding(maps, (24, 40), Padding(), align_corners=align_corners), maps)


def test_a_border_within_a_cell_does_not_shift_the_map():
    # 20 of 32 rows: 2.5 cells of 8 pixels, so 3 rows of 20/3 pixels. The centre of the first is
    # pixel 10/3, 10/24 cells from the top and 1/12 before the centre of the first cell.
    maps = torch.arange(4.0).view(1, 1, 4, 1)  # the value of a row is its number
    cropped = crop_padding(maps, (32, 8), Padding(bottom=12))
    assert_close(cropped.flatten(), torch.tensor([0.0, 20 / 16 - 0.5, 100 / 48 - 0.5]))


def test_aligned_corners_stay_where_they_are():
    # 5 rows on the pixels 0, 4, 8, 12, 16 of 17; the image ends with pixel 8, in the middle.
    maps = torch.arange(5.0).view(1, 1, 5, 1)
    cropped = crop_padding(maps, (17, 1), Padding(bottom=8), align_corners=True)
    assert_close(cropped.flatten(), torch.tensor([0.0, 1.0, 2.0]))


@pytest.mark.parametrize('align_corners', [False, True])
def test_a_ramp_is_the_same_ramp_after_cutting_and_resizing(align_corners):
    # Beyond the centres of the outermost cells, here the rows 0 to 10 and 39 to 42, maps are
    # constant and not linear.
    options = dict(mode='bilinear', align_corners=align_corners)
    ramp = torch.arange(64.0).view(1, 1, 64, 1).expand(1, 1, 64, 64)
    maps = F.interpolate(ramp, (8, 8), **options)
    cropped = crop_padding(maps, (64, 64), Padding(bottom=21), align_corners=align_corners)
    resized = F.interpolate(cropped, (43, 64), **options)
    assert_close(resized[..., 11:39, :], ramp[..., 11:39, :], atol=1e-4, rtol=0)
