import base64
import io

import numpy as np
from PIL import Image

from mmwsss.visualization.label_pictures import (
    draw_contours,
    label_pair,
    label_uri,
    photo_uri,
    scale_to,
)

PALETTE = [(0, 0, 0), (200, 0, 0), (0, 0, 200)]
GREY = np.full((60, 80, 3), 100, dtype=np.uint8)


def decoded(uri):
    kind, _, content = uri.partition(';base64,')
    with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
        picture.load()
        assert kind == f'data:image/{picture.format.lower()}'
        return picture


def test_contours_leave_the_inside_and_the_background_as_they_are():
    label = np.zeros((60, 80), dtype=np.uint8)
    label[10:40, 10:60] = 1
    drawn = draw_contours(GREY, label, PALETTE)
    assert (drawn[20:30, 20:50] == 100).all() and (drawn[50:, 70:] == 100).all()
    red, green, blue = drawn[10, 30]
    assert red > 180 and max(green, blue) < 80
    assert (drawn[8:13, 30] == 255).all(axis=1).any()  # the halo
    assert (GREY == 100).all()


def test_ignored_pixels_are_veiled():
    label = np.zeros((60, 80), dtype=np.uint8)
    label[30:] = 255
    drawn = draw_contours(GREY, label, PALETTE)
    assert (drawn[:30] == 100).all()
    assert drawn[40, 40].tolist() == [162, 162, 146]


def test_a_flat_label_keeps_its_values_and_its_background_is_transparent():
    label = np.uint8([[0, 1], [2, 255]])
    picture = decoded(label_uri(label, PALETTE))
    np.testing.assert_array_equal(np.asarray(picture), label)
    rgba = np.asarray(picture.convert('RGBA')).tolist()
    assert rgba[0][0][3] == 0
    assert rgba[0][1] == [200, 0, 0, 255] and rgba[1][1] == [224, 224, 192, 255]


def test_pictures_and_labels_are_scaled_alike():
    label = np.zeros((60, 80), dtype=np.uint8)
    label[:, 40:] = 2
    for longest, size in ((40, (30, 40)), (160, (120, 160))):
        image, (scaled,) = scale_to(GREY, [label], longest)
        assert image.shape == (*size, 3) and scaled.shape == size
        assert (scaled[:, : longest // 2] == 0).all() and (scaled[:, longest // 2 :] == 2).all()
    assert decoded(photo_uri(image)).size == (160, 120)


def test_lines_on_a_small_image_hide_no_object():
    label = np.zeros((60, 80), dtype=np.uint8)
    label[25:35, 35:45] = 1
    contours, flat = label_pair(GREY, label, PALETTE)
    assert contours.shape == (240, 320, 3)
    assert (contours[110:130, 150:170] == 100).all()
    assert flat.shape == GREY.shape and flat[30, 40].tolist() == [200, 0, 0]
