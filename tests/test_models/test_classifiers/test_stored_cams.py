import numpy as np
import pytest
import torch
from mmseg.structures import SegDataSample

from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError, write_scores

SCORES = np.stack([np.full((4, 6), 0.5), np.full((4, 6), 0.25), np.arange(24).reshape(4, 6) / 32])


@pytest.fixture
def model(tmp_path):
    write_scores(tmp_path / 'seed_scores/sub/a.npz', SCORES, np.array([7, 2]), 'x')
    return MODELS.build(dict(type='StoredCAMs', folder=str(tmp_path / 'seed_scores')))


def sample_of(img_id='sub/a', label=(2, 7), size=(4, 6)):
    sample = SegDataSample(metainfo=dict(img_id=img_id, img_path=f'{img_id}.jpg', ori_shape=size))
    if label is not None:
        sample.gt_label = torch.tensor(label, dtype=torch.long)
    return sample


@pytest.mark.parametrize('label', [(2, 7), None])
def test_maps_and_classes_are_those_of_the_file(model, label):
    (sample,) = model(torch.zeros(1, 3, 4, 6), [sample_of(label=label)], mode='predict')
    assert sample.cam_label.tolist() == [7, 2]
    assert sample.cams.dtype == torch.float32
    assert np.array_equal(sample.cams.numpy(), SCORES[1:].astype(np.float32))


def test_an_image_without_a_class_has_no_maps(model):
    write_scores(model.folder / 'b.npz', np.ones((1, 4, 6)), np.zeros(0), 'x')
    (sample,) = model(torch.zeros(1, 3, 4, 6), [sample_of('b', ())])
    assert sample.cams.shape == (0, 4, 6)
    assert sample.cam_label.tolist() == []


@pytest.mark.parametrize(
    ('sample', 'message'),
    [
        (sample_of('c'), r"c\.npz' does not exist"),
        (sample_of(label=(2,)), r'a\.npz has scores of the classes \[2, 7\].*says \[2\]'),
        (sample_of(label=()), r'a\.npz has scores of the classes \[2, 7\].*says \[\]'),
        (sample_of(size=(6, 4)), r'a\.npz: the scores are 4x6, but the image sub/a\.jpg is 6x4'),
    ],
)
def test_a_file_that_does_not_fit_is_named(model, sample, message):
    with pytest.raises(UserInputError, match=message):
        model(torch.zeros(1, 3, 4, 6), [sample])


def test_the_folder_may_appear_after_the_model_is_built(tmp_path):
    model = MODELS.build(dict(type='StoredCAMs', folder=str(tmp_path / 'later')))
    assert model.stamp is None
    with pytest.raises(UserInputError, match='does not exist'):
        model(torch.zeros(1, 3, 4, 6), [sample_of()])


def test_a_file_that_the_run_of_the_manifest_did_not_make_is_refused(model):
    manifest = model.folder.parent / 'manifest.json'
    manifest.write_text('{"fingerprint": "x"}')
    assert model.stamp == 'x'
    model(torch.zeros(1, 3, 4, 6), [sample_of()])
    manifest.write_text('{"fingerprint": "y"}')  # of a new run that did not reach this image
    with pytest.raises(UserInputError, match=r'a\.npz is left over from an earlier run'):
        model(torch.zeros(1, 3, 4, 6), [sample_of()])


def test_files_of_the_manifests_run_may_name_the_label_of_their_image(model):
    (model.folder.parent / 'manifest.json').write_text('{"fingerprint": "x"}')
    path = model.folder / 'sub/a.npz'
    write_scores(path, SCORES, np.array([7, 2]), 'x-label')
    model(torch.zeros(1, 3, 4, 6), [sample_of()])
    write_scores(path, SCORES, np.array([7, 2]), 'y-label')
    with pytest.raises(UserInputError, match='left over from an earlier run'):
        model(torch.zeros(1, 3, 4, 6), [sample_of()])


def test_there_is_nothing_to_train(model):
    assert list(model.parameters()) == []
    with pytest.raises(ValueError, match="mode 'predict'"):
        model(torch.zeros(1, 3, 4, 6), [sample_of()], mode='loss')
