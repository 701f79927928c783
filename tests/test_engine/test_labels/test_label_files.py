import numpy as np
from PIL import Image, PngImagePlugin

from mmwsss.engine.labels.files import LabelFile, label_file_state, write_label
from mmwsss.engine.state.fingerprints import fingerprint

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
    assert label_file_state(path, 'one') is LabelFile.DONE
    assert label_file_state(path, 'two') is LabelFile.TO_MAKE


def test_missing_and_cut_off_files_are_to_be_made(tmp_path):
    path = tmp_path / 'x.png'
    assert label_file_state(path, 'one') is LabelFile.TO_MAKE
    write_label(path, np.zeros((64, 64), dtype=np.uint8), PALETTE, 'one')
    path.write_bytes(path.read_bytes()[:-20])
    assert label_file_state(path, 'one') is LabelFile.TO_MAKE
    path.write_text('no image')
    assert label_file_state(path, 'one') is LabelFile.TO_MAKE


def test_a_label_with_any_byte_changed_or_cut_off_anywhere_is_not_done(tmp_path):
    path = tmp_path / 'x.png'
    label = np.array([[0, 1, 2], [255, 2, 1]], dtype=np.uint8)
    write_label(path, label, PALETTE, 'one')
    whole = path.read_bytes()
    for i in range(len(whole) - 12):  # the rest is the chunk IEND, which has no content
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        assert label_file_state(path, 'one') is not LabelFile.DONE, f'byte {i}'
        path.write_bytes(whole[:i])
        assert label_file_state(path, 'one') is LabelFile.TO_MAKE, f'{i} bytes'


def test_a_label_that_a_program_wrote_anew_with_the_mark_is_still_done(tmp_path):
    """The same in other chunks, as PNG optimisers write them; not in another mode."""
    path = tmp_path / 'x.png'
    write_label(path, np.array([[0, 1], [1, 0]], dtype=np.uint8), PALETTE, 'one')
    mark = PngImagePlugin.PngInfo()
    mark.add_itxt('mmwsss', 'one')
    with Image.open(path) as image:
        image.load()
    image.save(path, pnginfo=mark, bits=1)
    assert label_file_state(path, 'one') is LabelFile.DONE
    image.convert('L').save(path, pnginfo=mark)
    assert label_file_state(path, 'one') is LabelFile.TO_MAKE


def test_a_label_map_of_another_program_is_told_apart(tmp_path):
    path = tmp_path / 'x.png'
    write_label(path, np.zeros((4, 4), dtype=np.uint8), PALETTE, 'one')
    with Image.open(path) as image:
        label = np.asarray(image)
    Image.fromarray(label).save(path)
    assert label_file_state(path, 'one') is LabelFile.BY_HAND


def test_the_fingerprint_depends_on_content_and_not_on_order():
    assert fingerprint(dict(a=1, b=2)) == fingerprint(dict(b=2, a=1))
    assert fingerprint(dict(a=1)) != fingerprint(dict(a=2))
