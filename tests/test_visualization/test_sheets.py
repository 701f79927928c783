import numpy as np
import pytest
from PIL import Image

from mmwsss.registry import VISUALIZERS
from mmwsss.visualization import (
    caption_of,
    colorize,
    contact_sheet,
    draw_boxes,
    draw_tags,
    flat_label,
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


def test_a_sheet_is_as_wide_and_high_as_its_pictures_and_leaves_no_temporary_file(tmp_path):
    tall = np.full((90, 10, 3), 7, dtype=np.uint8)
    path = contact_sheet(
        [[GREY, tall], [GREY, tall[:30]]],
        ['image', ''],
        tmp_path / 'a' / 'sheet.png',
        cell_size=(40, 60),
    )
    with Image.open(path) as sheet:
        # Margins of 6 pixels, a title line of 18; the pictures are 60 and 4 or 13 wide.
        assert sheet.size == (6 + 66 + 19, 18 + 6 + 2 * 46)
        pixels = np.asarray(sheet)
    assert (pixels[30:60, 10:60] == 100).all()
    assert (pixels[24:64, 72:76] == 7).all() and (pixels[24:64, 77:] == 255).all()
    assert [file.name for file in path.parent.iterdir()] == ['sheet.png']


def test_classes_are_named_in_the_caption_of_a_row_and_not_on_the_pictures(tmp_path):
    label = np.uint8([[0, 1, 255]])
    caption = caption_of('2007_1', [label], ('background', 'cat', 'dog'), [*PALETTE, (0, 9, 0)])
    assert caption == ('2007_1', [('cat', (200, 0, 0))])
    assert caption_of('x', [], ('background', 'cat'), PALETTE, tags=[0]).classes == caption.classes
    path = contact_sheet([[GREY]], ['image'], tmp_path / 'sheet.png', captions=[caption])
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet)
    assert (pixels[24:42] == (200, 0, 0)).all(axis=2).any()  # the swatch
    assert (pixels[42:-6, 6:-6] == 100).all()


def test_a_flat_label_has_a_light_background():
    painted = flat_label(np.uint8([[0, 1, 255]]), PALETTE)
    assert painted.tolist() == [[[230, 233, 238], [200, 0, 0], [224, 224, 192]]]


def test_a_row_without_a_picture_for_every_title_is_refused(tmp_path):
    with pytest.raises(ValueError, match='row 1 has 1 pictures for 2 titles'):
        contact_sheet([[GREY, GREY], [GREY]], ['a', 'b'], tmp_path / 'sheet.png')


def test_the_visualizer_of_mmseg_is_found_under_its_plain_name():
    assert VISUALIZERS.get('SegLocalVisualizer').__module__.startswith('mmseg')
