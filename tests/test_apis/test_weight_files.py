import pytest
import torch

from mmwsss.apis.weight_files import load_state_dict, prefix_of, save_atomically, take
from mmwsss.structures import UserInputError

EXPECTED = {'a.weight': torch.Size((2, 3, 1, 1)), 'a.num_batches_tracked': torch.Size(())}


def test_an_empty_file_is_explained(tmp_path):
    (tmp_path / 'empty.pth').touch()
    with pytest.raises(UserInputError, match='not a file of plain tensors'):
        load_state_dict(tmp_path / 'empty.pth')


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(AttributeError):
        save_atomically({'local function': lambda: 0}, tmp_path / 'new.pth')
    assert list(tmp_path.iterdir()) == []


def test_prefix_is_what_stands_before_a_whole_name():
    source = {'x.module.conv.weight': torch.zeros(1), 'preconv.weight': torch.zeros(1)}
    assert prefix_of(source, 'conv.weight') == 'x.module.'
    assert prefix_of({'preconv.weight': torch.zeros(1)}, 'conv.weight') is None


def test_taken_tensors_are_copies_in_the_expected_shape():
    source = torch.arange(6.0).view(2, 3)
    taken = take({'a.weight': source, 'other': source}, EXPECTED)
    assert list(taken) == list(EXPECTED)
    assert taken['a.weight'].shape == (2, 3, 1, 1)
    taken['a.weight'].zero_()
    assert source.sum() == 15
    assert taken['a.num_batches_tracked'] == 0


def test_a_transposed_tensor_is_refused():
    with pytest.raises(UserInputError, match=r'a\.weight has shape \(3, 2\), expected \(2, 3, 1, '):
        take({'a.weight': torch.zeros(3, 2)}, EXPECTED)
