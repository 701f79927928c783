import pytest
import torch
from reference import region_memory as reference
from torch.testing import assert_close

from mmwsss.models.regions.slots import blend_into_slots_, intersected_regions, ring_slots

YES = torch.tensor(True)


def blend(embeddings, index, gate=None, momentum=0.5, slots=None, filled=None):
    slots = torch.zeros(1, 2, 1) if slots is None else slots
    filled = torch.zeros(1, 2, dtype=torch.bool) if filled is None else filled
    gate = torch.ones(len(index), dtype=torch.bool) if gate is None else torch.tensor(gate)
    values = torch.tensor(embeddings).unsqueeze(1)
    blend_into_slots_(slots, filled, values, torch.tensor(index), gate, momentum=momentum)
    return slots.flatten().tolist(), filled.flatten().tolist()


def test_regions_of_a_class_go_to_one_slot_after_the_other():
    slots = ring_slots(torch.tensor([1, 0, 1, 1]), YES.expand(4), torch.tensor([2, 4]), num_slots=6)
    assert slots.tolist() == [4, 2, 5, 0]


def test_a_region_that_is_not_stored_takes_no_slot():
    gate = torch.tensor([True, False, True])
    slots = ring_slots(torch.tensor([0, 0, 0]), gate, torch.tensor([0]), num_slots=6)
    assert slots[gate].tolist() == [0, 1]


def test_the_first_region_fills_a_slot_and_the_second_blends():
    assert blend([8.0, 4.0], [0, 0]) == ([6.0, 0.0], [True, False])


def test_a_filled_slot_blends_with_its_first_region():
    slots, filled = torch.tensor([[[16.0], [0.0]]]), torch.tensor([[True, False]])
    assert blend([8.0, 4.0], [0, 0], slots=slots, filled=filled)[0] == [8.0, 0.0]


def test_what_is_not_stored_changes_nothing():
    assert blend([8.0, 4.0], [0, 1], gate=[False, True]) == ([0.0, 4.0], [False, True])


def test_without_momentum_the_last_region_stays():
    assert blend([8.0, 4.0], [1, 1], momentum=0.0)[0] == [0.0, 4.0]


def test_no_region_changes_nothing():
    empty = torch.zeros(1, 2, 1), torch.zeros(1, 2, dtype=torch.bool)
    blend_into_slots_(
        *empty,
        torch.zeros(0, 1),
        torch.zeros(0, dtype=torch.long),
        torch.zeros(0, dtype=torch.bool),
        momentum=0.5,
    )
    assert not empty[0].any()
    assert not empty[1].any()


def test_many_regions_of_few_slots_are_stored_as_by_a_loop(rng):
    slots, filled = torch.zeros(3, 4, 2), torch.zeros(3, 4, dtype=torch.bool)
    expected, marks = slots.tolist(), filled.tolist()
    for _ in range(3):
        index = torch.randint(12, (40,), generator=rng)
        values = torch.randn(40, 2, generator=rng)
        gate = torch.rand(40, generator=rng) < 0.7
        blend_into_slots_(slots, filled, values, index, gate, momentum=0.9)
        for i, f, stored in zip(index.tolist(), values.tolist(), gate.tolist(), strict=True):
            if stored:
                reference.store(expected, marks, i // 4, i % 4, f, 0.9)
    assert_close(slots, torch.tensor(expected), rtol=0, atol=1e-6)
    assert filled.tolist() == marks


def test_the_intersection_is_with_the_classes_written_before_alone():
    weights = torch.tensor([[1.0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 1], [1, 1, 1, 1]]) / 2
    written = torch.tensor([[True, False, True, True]])
    result = intersected_regions(weights.reshape(1, 4, 2, 2), written).flatten(2)[0]
    assert (2 * result[0]).tolist() == [1, 1, 0, 0]
    assert (2 * result[2]).tolist() == [0, 1, 0, 0]
    assert (2 * result[3]).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize('written', [0, 2])
def test_a_single_written_class_keeps_its_region(rng, written):
    weights = torch.rand(1, 3, 4, 4, generator=rng).relu()
    gate = torch.zeros(1, 3, dtype=torch.bool)
    gate[0, written] = True
    assert_close(intersected_regions(weights, gate)[0, written], weights[0, written])
