import numpy as np
from PIL import Image

from mmwsss.engine.loops.label_files import fingerprint, is_valid_label, write_label

PALETTE = [[0, 0, 0], [128, 0, 0], [0, 128, 0]]


def test_a_label_keeps_its_values_and_palette(tmp_path):
    path = tmp_path / 'a' / 'x.png'
    label = np.array([[0, 1], [2, 255]], dtype=np.uint8)
    write_label(path, label, PALETTE, 'stamp')
    with Image.open(path) as image:
        assert image.mode == 'P'
        assert np.array_equal(np.asarray(image), label)
        assert image.getpalette()[3:6] == [128, 0, 0]
    assert [p.name for p in path.parent.iterdir()] == ['x.png']  # no temporary file is left


def test_a_label_is_valid_for_its_own_settings_only(tmp_path):
    path = tmp_path / 'x.png'
    write_label(path, np.zeros((4, 4), dtype=np.uint8), PALETTE, 'one')
    assert is_valid_label(path, 'one')
    assert not is_valid_label(path, 'two')


def test_missing_cut_off_and_foreign_files_are_not_valid(tmp_path):
    path = tmp_path / 'x.png'
    assert not is_valid_label(path, 'one')
    write_label(path, np.zeros((64, 64), dtype=np.uint8), PALETTE, 'one')
    path.write_bytes(path.read_bytes()[:-20])
    assert not is_valid_label(path, 'one')
    Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).save(path)
    assert not is_valid_label(path, 'one')
    path.write_text('no image')
    assert not is_valid_label(path, 'one')


def test_the_fingerprint_depends_on_content_and_not_on_order():
    assert fingerprint(dict(a=1, b=2)) == fingerprint(dict(b=2, a=1))
    assert fingerprint(dict(a=1)) != fingerprint(dict(a=2))
