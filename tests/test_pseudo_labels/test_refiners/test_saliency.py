import numpy as np
import pytest
import torch
from mmseg.structures import SegDataSample
from PIL import Image
from torch.testing import assert_close

from mmwsss.pseudo_labels import ConflictLabeler, SaliencyBackground
from mmwsss.structures import UserInputError

IMAGE = np.zeros((4, 6, 3), dtype=np.uint8)


@pytest.fixture
def refine(tmp_path):
    """Refine scores with the maps of a folder, as image ``a`` or under another name."""
    part = SaliencyBackground(str(tmp_path))

    def run(scores, img_id='a'):
        return part.refine(scores, IMAGE, SegDataSample(metainfo=dict(img_id=img_id)))

    run.part = part
    return run


def save_map(tmp_path, values, name='a', mode='L'):
    path = tmp_path / f'{name}.png'
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.asarray(values, dtype=np.uint8)).convert(mode).save(path)
    return path


def test_the_background_is_what_is_not_salient(tmp_path, refine):
    saliency = np.arange(24).reshape(4, 6) * 11
    save_map(tmp_path, saliency)
    scores = torch.rand(3, 4, 6)
    before = scores.clone()
    refined = refine(scores)
    assert refined.dtype == torch.float32
    assert_close(refined[0], 1 - torch.from_numpy(saliency).float() / 255, atol=0, rtol=0)
    assert refined[1:].equal(scores[1:])
    assert scores.equal(before)


def test_images_may_lie_in_subfolders(tmp_path, refine):
    save_map(tmp_path, np.full((4, 6), 255), 'sub/b')
    assert refine(torch.ones(1, 4, 6), 'sub/b').max() == 0


def test_an_image_without_a_map_keeps_its_background_and_is_counted(refine):
    scores = torch.rand(2, 4, 6)
    assert refine(scores).equal(scores)
    assert refine.part.counts == {'without_saliency': 1}


def test_a_map_of_another_size_is_named_with_both_sizes(tmp_path, refine):
    save_map(tmp_path, np.zeros((6, 4)))
    with pytest.raises(UserInputError, match=r'a\.png: .* map is 6x4, but its image is 4x6'):
        refine(torch.ones(2, 4, 6))


@pytest.mark.parametrize('mode', ['RGB', 'P', '1', 'LA', 'I;16'])
def test_a_map_that_is_not_greyscale_is_refused(tmp_path, refine, mode):
    save_map(tmp_path, np.zeros((4, 6)), mode=mode)
    with pytest.raises(UserInputError, match=r'a\.png: expected an 8-bit greyscale'):
        refine(torch.ones(2, 4, 6))


@pytest.mark.parametrize('keep', [0, 40])
def test_a_damaged_map_is_named(tmp_path, refine, keep):
    path = save_map(tmp_path, np.arange(24).reshape(4, 6))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserInputError, match=r"a\.png' cannot be read"):
        refine(torch.ones(2, 4, 6))


def test_a_missing_folder_is_no_image_without_a_map(tmp_path):
    part = SaliencyBackground(str(tmp_path / 'none'))
    with pytest.raises(UserInputError, match=r"none' is not a folder"):
        part.refine(torch.ones(2, 4, 6), IMAGE, SegDataSample(metainfo=dict(img_id='a')))


def test_map_and_labeler_together_give_the_labels_of_the_reference(tmp_path, refine, oracle):
    values = oracle('rca_gen_labels')
    for case in range(int(values['num_cases'])):
        save_map(tmp_path, values[f'c{case}_saliency'], f'c{case}')
        sample = SegDataSample()
        sample.cam_label = torch.from_numpy(values[f'c{case}_class_ids'])
        scores = refine(torch.from_numpy(values[f'c{case}_crf']), f'c{case}')
        label = ConflictLabeler()(scores, sample)
        assert np.array_equal(label.numpy(), values[f'c{case}_label']), values[f'c{case}_name']
    assert refine.part.counts == {'without_saliency': 0}
