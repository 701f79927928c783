import pytest
import torch
from reference import stencil_affinity as reference

from mmwsss.affinity import pair_masks, stencil_mask


def test_pairs_of_a_row_are_sorted_by_their_labels():
    labels = torch.tensor([[[0, 0, 2, 2, 255, 2, 1]]], dtype=torch.uint8)
    masks = pair_masks(labels, radius=2)  # the first offset is the right neighbour
    assert masks.background[0, 0, 0].tolist() == [True] + [False] * 6
    assert masks.foreground[0, 0, 0].tolist() == [False, False, True] + [False] * 4
    assert masks.negative[0, 0, 0].tolist() == [False, True, False, False, False, True, False]
    assert sum(int(mask.sum()) for mask in masks) == 4


@pytest.mark.parametrize('size', [(6, 9), (2, 3), (1, 1)])
@pytest.mark.parametrize('dtype', [torch.uint8, torch.long])
def test_equals_the_loop_over_pairs(rng, size, dtype):
    values = torch.tensor([0, 1, 2, 255], dtype=dtype)
    labels = values[torch.randint(4, (2, *size), generator=rng)]
    assert torch.stack(pair_masks(labels, radius=4)).equal(reference.masks(labels, 4))


def test_a_pair_is_of_one_kind_unless_a_cell_is_ignored(rng):
    labels = torch.randint(3, (2, 7, 8), generator=rng)
    kinds = torch.stack(pair_masks(labels, radius=5)).sum(dim=0)
    assert kinds.equal(stencil_mask((7, 8), radius=5).long().expand_as(kinds))


def test_an_ignored_image_has_no_pair():
    assert not torch.stack(pair_masks(torch.full((1, 6, 6), 255), radius=3)).any()


def test_a_map_smaller_than_the_published_border_has_no_pair():
    labels = torch.zeros(1, 3, 8, dtype=torch.uint8)
    assert not torch.stack(pair_masks(labels, radius=5, official_border=True)).any()


@pytest.mark.parametrize(('prefix', 'count'), [('p', 'num_prob_cases'), ('m', 'num_map_cases')])
def test_masks_meet_the_published_ones(oracle, prefix, count):
    data = oracle('psa_labels_loss')
    for case in range(int(data[count])):
        label = torch.from_numpy(data[f'{prefix}{case}_label'])
        exists = stencil_mask(label.shape, radius=5, official_border=True)
        masks = pair_masks(label[None], radius=5, official_border=True)
        for mask, key in zip(masks, ('bg', 'fg', 'neg'), strict=True):
            expected = torch.from_numpy(data[f'{prefix}{case}_{key}']).bool()
            assert mask[0][exists].view(expected.shape).equal(expected)
            assert not mask[0][~exists].any()
