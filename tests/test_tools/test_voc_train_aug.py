import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mmwsss.datasets.annotations import read_image_ids
from mmwsss.structures import UserInputError


@pytest.fixture
def tool(load_tool):
    return load_tool('dataset_converters/voc_train_aug.py')


@pytest.fixture
def folders(tmp_path):
    """VOC: train a, b and val v; SBD: train b, c and val v, d."""
    voc, sbd = tmp_path / 'VOC2012', tmp_path / 'sbd'
    for folder in (voc / 'ImageSets/Segmentation', voc / 'SegmentationClass', sbd / 'cls'):
        folder.mkdir(parents=True)
    lists = {
        voc / 'ImageSets/Segmentation/train.txt': 'ab',
        voc / 'ImageSets/Segmentation/val.txt': 'v',
        sbd / 'train.txt': 'bc',
        sbd / 'val.txt': 'vd',
    }
    for path, ids in lists.items():
        path.write_text('\n'.join(ids))
    for value, img_id in enumerate('abv', start=1):
        mask = np.array([[value, 255, 0]], dtype=np.uint8)
        Image.fromarray(mask).save(voc / 'SegmentationClass' / f'{img_id}.png')
    for value, img_id in enumerate('bcdv', start=11):
        write_mat(sbd, img_id, [[value, 0]])
    return voc, sbd


def write_mat(sbd, img_id, mask):
    mask = np.array(mask, dtype=np.uint8)
    savemat(sbd / 'cls' / f'{img_id}.mat', {'GTcls': {'Segmentation': mask, 'Boundaries': []}})


def read_masks(voc):
    paths = sorted((voc / 'SegmentationClassAug').iterdir())
    return {path.stem: np.array(Image.open(path)).tolist() for path in paths}


def test_the_list_is_sbd_and_train_without_val(tool, folders, capsys):
    voc, sbd = folders
    tool.main([str(voc), str(sbd), '--list-only'])
    path = voc / 'ImageSets/Segmentation/train_aug.txt'
    assert path.read_text() == 'a\nb\nc\nd\n'
    assert read_image_ids(path) == ['a', 'b', 'c', 'd']
    assert 'NOT the published list of 10582 images, images: 4' in capsys.readouterr().out
    assert not (voc / 'SegmentationClassAug').exists()


def test_masks_are_those_of_voc_where_it_has_them(tool, folders):
    voc, sbd = folders
    tool.main([str(voc), str(sbd)])
    assert read_masks(voc) == {
        'a': [[1, 255, 0]],
        'b': [[2, 255, 0]],
        'c': [[12, 0]],
        'd': [[13, 0]],
    }
    assert Image.open(voc / 'SegmentationClassAug/c.png').mode == 'P'


def test_masks_that_are_there_are_kept(tool, folders, capsys):
    voc, sbd = folders
    tool.main([str(voc), str(sbd)])
    own = Image.fromarray(np.array([[7, 7]], dtype=np.uint8))
    own.save(voc / 'SegmentationClassAug/c.png')
    (voc / 'SegmentationClassAug/d.png').unlink()
    tool.main([str(voc), str(sbd)])
    assert 'masks written: 1' in capsys.readouterr().out
    assert read_masks(voc)['c'] == [[7, 7]]


@pytest.mark.parametrize('content', ['text', 'no map', 'values'])
def test_a_file_that_is_not_of_sbd_is_explained(tool, folders, content):
    voc, sbd = folders
    if content == 'text':
        (sbd / 'cls/c.mat').write_text('404')
    elif content == 'no map':
        savemat(sbd / 'cls/c.mat', {'GTinst': 1})
    else:
        write_mat(sbd, 'c', [[21, 0]])
    with pytest.raises(UserInputError, match=r'c\.mat'):
        tool.main([str(voc), str(sbd)])


def test_a_missing_list_is_explained(tool, folders):
    voc, sbd = folders
    (sbd / 'val.txt').unlink()
    with pytest.raises(UserInputError, match=r'val\.txt'):
        tool.main([str(voc), str(sbd)])
