import base64
import io

import numpy as np
from PIL import Image

from mmwsss.visualization.label_pictures import draw_contours, label_uri, photo_uri, shrink

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


def test_pictures_are_made_smaller_but_never_larger():
    label = np.zeros((60, 80), dtype=np.uint8)
    label[:, 40:] = 2
    image, (small,) = shrink(GREY, [label], 40)
    assert image.shape == (30, 40, 3) and small.shape == (30, 40)
    assert np.unique(small).tolist() == [0, 2]
    assert shrink(GREY, [], 100)[0].shape == GREY.shape
    assert decoded(photo_uri(image)).size == (40, 30)
