import numpy as np
import pytest
from PIL import Image

from mmwsss.registry import VISUALIZERS
from mmwsss.visualization import (
    colorize,
    contact_sheet,
    draw_boxes,
    draw_tags,
    heat_map,
    overlay,
)

PALETTE = [(0, 0, 0), (200, 0, 0)]
GREY = np.full((20, 30, 3), 100, dtype=np.uint8)


def test_labels_take_the_colour_of_the_palette_and_ignored_pixels_ivory():
    painted = colorize(np.array([[0, 1, 255]], dtype=np.uint8), PALETTE)
    assert painted.tolist() == [[[0, 0, 0], [200, 0, 0], [224, 224, 192]]]


def test_an_overlay_keeps_the_background_and_blends_objects():
    label = np.zeros((20, 30), dtype=np.uint8)
    label[0, 0] = 1
    blended = overlay(GREY, label, PALETTE, opacity=0.5)
    assert blended[0, 0].tolist() == [150, 50, 50]
    assert (blended[1:] == 100).all()


def test_the_peak_of_a_heat_map_is_red_and_a_zero_map_is_even():
    activation = np.zeros((20, 30))
    assert len(np.unique(heat_map(GREY, activation).reshape(-1, 3), axis=0)) == 1
    activation[3, 4] = 5
    red, green, blue = heat_map(GREY, activation, opacity=1.0)[3, 4]
    assert red > green
    assert red > blue


def test_boxes_are_drawn_on_a_copy():
    drawn = draw_boxes(GREY, np.array([[2, 3, 20, 15]]), [(0, 255, 0)], names=['cat'])
    assert drawn[3, 2].tolist() == [0, 255, 0]
    assert (GREY == 100).all()


def test_no_boxes_leave_the_picture_as_it_is():
    assert (draw_boxes(GREY, np.zeros((0, 4)), []) == GREY).all()


def test_tags_are_written_at_the_top():
    drawn = draw_tags(GREY, ['cat'])
    assert (drawn[:5] != 100).any()
    assert (drawn[-1] == 100).all()


def test_a_sheet_has_a_cell_for_every_picture_and_no_temporary_file(tmp_path):
    tall = np.full((90, 10, 3), 7, dtype=np.uint8)
    path = contact_sheet(
        [[GREY, tall], [GREY, GREY]],
        ['image', 'label'],
        tmp_path / 'a' / 'sheet.png',
        cell_size=(40, 60),
    )
    with Image.open(path) as sheet:
        assert sheet.size == (4 + 2 * 64, 16 + 4 + 2 * 44)
    assert [file.name for file in path.parent.iterdir()] == ['sheet.png']


def test_a_row_without_a_picture_for_every_title_is_refused(tmp_path):
    with pytest.raises(ValueError, match='row 1 has 1 pictures for 2 titles'):
        contact_sheet([[GREY, GREY], [GREY]], ['a', 'b'], tmp_path / 'sheet.png')


def test_the_visualizer_of_mmseg_is_found_under_its_plain_name():
    assert VISUALIZERS.get('SegLocalVisualizer').__module__.startswith('mmseg')
