import io

import pytest
import torch
from reference import region_memory as reference
from torch.testing import assert_close

from mmwsss.models import RegionMemory
from mmwsss.models.regions.slots import intersected_regions
from mmwsss.structures import UserInputError

ENTRIES = {'a': {0: 0, 1: 0}, 'b': {1: 1}, 'none': {}, 'c': {0: 1, 1: 2}}


def write(memory, embeddings, classes, *, gate=None, img_ids=None, batch_size=4):
    classes = torch.tensor(classes, dtype=torch.long)
    gate = (
        torch.ones(len(classes), dtype=torch.bool)
        if gate is None
        else torch.tensor(gate, dtype=torch.bool)
    )
    embeddings = torch.as_tensor(embeddings).reshape(len(classes), memory.slots.shape[2])
    ids = [''] * len(classes) if img_ids is None else img_ids
    memory.write(embeddings, classes, gate, ids, batch_size=batch_size)
    return memory


def ring(num_classes=2, channels=1, slots=3, **options):
    return RegionMemory(num_classes, channels, slots=slots, **options)


def image_memory(slots=3, **options):
    memory = RegionMemory(2, 1, slots=slots, entry='image', **options)
    memory.set_entries(ENTRIES)
    return memory


def state(memory):
    return memory.slots.tolist(), memory.filled.tolist(), memory.cursor.tolist()


# A ring of slots


def test_a_new_memory_is_empty():
    assert not ring().filled.any()
    assert not ring().slots.any()


def test_first_embeddings_are_stored_as_they_are():
    memory = write(ring(), [3.0, 4, 5], [1, 1, 0])
    assert memory.slots.squeeze(2).tolist() == [[5, 0, 0], [3, 4, 0]]
    assert memory.filled.tolist() == [[True, False, False], [True, True, False]]
    assert memory.cursor.tolist() == [1, 2]


def test_after_a_round_embeddings_blend_by_momentum():
    memory = write(ring(slots=2, momentum=0.75), [4.0, 8.0], [0, 0])
    write(memory, [0.0], [0])
    assert memory.slots[0].flatten().tolist() == [3, 8]
    assert memory.cursor.tolist() == [1, 0]


def test_more_regions_than_slots_go_round_as_in_a_loop():
    memory = write(ring(slots=2, momentum=0.5), [1.0, 2, 3, 4, 5], [1] * 5)
    assert memory.slots[1].flatten().tolist() == [3.5, 3]  # ((1 + 3) / 2 + 5) / 2, (2 + 4) / 2
    assert memory.cursor.tolist() == [0, 1]


def test_random_steps_equal_a_loop_over_the_regions(rng):
    memory = ring(3, 4, slots=5, momentum=0.9)
    slots, filled, cursor = state(memory)
    for num_regions in (7, 0, 1, 20):
        f = torch.randn(num_regions, 4, generator=rng)
        classes = torch.randint(3, (num_regions,), generator=rng).tolist()
        gate = (torch.rand(num_regions, generator=rng) < 0.6).tolist()
        write(memory, f, classes, gate=gate)
        reference.ring(slots, filled, cursor, zip(classes, gate, f.tolist(), strict=True), 0.9)
    assert_close(memory.slots, torch.tensor(slots), rtol=0, atol=1e-6)
    assert memory.filled.tolist() == filled
    assert memory.cursor.tolist() == cursor


def test_no_region_changes_nothing():
    memory = write(ring(), [1.0], [0])
    before = state(memory)
    assert state(write(memory, [], [])) == before


def test_regions_that_are_all_gated_out_change_nothing():
    memory = write(ring(), [1.0, 2.0], [0, 1])
    before = state(memory)
    assert state(write(memory, [5.0, 6.0], [0, 1], gate=[False, False])) == before


@pytest.mark.parametrize('bad', [float('nan'), float('inf'), float('-inf')])
def test_an_embedding_that_is_not_finite_is_left_out_and_its_neighbours_are_stored(bad):
    memory = write(ring(channels=2), [[1.0, bad], [2.0, 3.0]], [0, 0])
    assert memory.slots[0].tolist() == [[2, 3], [0, 0], [0, 0]]
    assert memory.cursor.tolist() == [1, 0]


def test_a_gated_row_that_is_not_finite_does_no_harm():
    memory = write(ring(), [float('nan')], [1], gate=[False])
    assert memory.slots.isfinite().all()


def test_half_precision_is_stored_in_single_precision():
    memory = write(ring(), torch.tensor([1.5, 2.5], dtype=torch.float16), [0, 1])
    assert memory.slots.dtype == torch.float32
    assert memory.slots[:, 0, 0].tolist() == [1.5, 2.5]


def test_a_half_precision_overflow_is_left_out():
    assert not write(ring(), torch.tensor([1e6]).half(), [0]).filled.any()


def test_writing_under_autocast_keeps_single_precision(rng):
    embeddings = torch.randn(4, 1, generator=rng)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        memory = write(ring(), embeddings, [0, 0, 1, 1])
    assert_close(memory.slots[:, :2].reshape(4, 1), embeddings, rtol=0, atol=0)


def test_the_memory_keeps_no_gradient():
    embeddings = torch.ones(1, 1, requires_grad=True)
    assert not write(ring(), embeddings, [0]).slots.requires_grad
    assert not list(ring().parameters())


def test_a_backward_pass_through_the_normalised_memory_survives_a_write():
    memory = write(ring(channels=2), [[3.0, 4.0]], [0])
    query = torch.ones(2, requires_grad=True)
    loss = torch.nn.functional.normalize(memory.slots, dim=2)[0, 0] @ query
    write(memory, [[1.0, 0.0]], [0])
    loss.backward()
    assert_close(query.grad, torch.tensor([0.6, 0.8]))


def test_the_arguments_are_left_as_they_are():
    embeddings, gate = torch.tensor([[float('nan')], [1.0]]), torch.tensor([True, True])
    ring().write(embeddings, torch.tensor([0, 1]), gate, ['', ''], batch_size=1)
    assert embeddings[0].isnan().all()
    assert gate.all()


def test_a_checkpoint_brings_everything_back():
    memory = write(ring(), [1.0, 2, 3, 4, 5], [0, 0, 0, 0, 1])
    file = io.BytesIO()
    torch.save(memory.state_dict(), file)
    file.seek(0)
    other = ring()
    other.load_state_dict(torch.load(file, weights_only=True))
    assert state(other) == state(memory)
    assert state(write(other, [9.0], [0])) == state(write(memory, [9.0], [0]))


# The published form


def test_the_published_memory_starts_as_noise_that_counts_as_filled():
    torch.manual_seed(0)
    memory = RegionMemory(3, 64, slots=50, official=True)
    assert memory.filled.all()
    assert memory.slots.std().item() == pytest.approx(1, abs=0.05)
    first = memory.slots[0, 0].clone()
    write(memory, torch.ones(1, 64), [0])
    assert_close(memory.slots[0, 0], 0.99 * first + 0.01)


@pytest.mark.parametrize('case', [0, 1])
@pytest.mark.parametrize('official', [False, True])
def test_published_values_with_and_without_the_intersection(oracle, case, official):
    values = oracle('rca_memory')
    get = lambda key: torch.from_numpy(values[f'c{case}_{key}'])  # noqa: E731
    before, feats, class_map = get('memory_before'), get('x'), get('coarse_map').softmax(dim=1)
    written = (get('label') > 0) & (get('prob') > float(values['score_threshold']))
    masks = (class_map > class_map.mean(dim=(2, 3), keepdim=True)).float()
    weights = masks / masks.sum(dim=(2, 3), keepdim=True)
    if official:
        weights = intersected_regions(weights, written)
    images, classes = get('label').nonzero(as_tuple=True)
    pooled = weights.flatten(2) @ feats.flatten(2).mT  # (B, K, C)
    memory = RegionMemory(
        before.shape[0],
        before.shape[2],
        slots=before.shape[1],
        momentum=float(values['momentum']),
        official=True,
    )
    memory.slots.copy_(before)
    memory.cursor.copy_(get('pointer_before'))
    memory.write(
        pooled[images, classes],
        classes,
        written[images, classes],
        [str(i) for i in images.tolist()],
        batch_size=len(feats),
    )
    assert_close(memory.slots, get('memory_after' if official else 'corrected'), rtol=0, atol=1e-6)
    assert memory.cursor.tolist() == get('pointer_after').tolist()


@pytest.mark.parametrize('case', [0, 1])
@pytest.mark.parametrize('official', [False, True])
def test_the_reference_loop_gives_the_published_values(oracle, case, official):
    values = oracle('rca_memory')
    get = lambda key: values[f'c{case}_{key}']  # noqa: E731
    regions = reference.region_embeddings(
        get('x').reshape(*get('x').shape[:2], -1).tolist(),
        get('coarse_map').reshape(*get('coarse_map').shape[:2], -1).tolist(),
        get('label').tolist(),
        get('prob').tolist(),
        float(values['score_threshold']),
        official,
    )
    slots, cursor = get('memory_before').tolist(), get('pointer_before').tolist()
    filled = [[True] * len(row) for row in slots]
    reference.ring(slots, filled, cursor, regions, float(values['momentum']))
    expected = torch.from_numpy(get('memory_after' if official else 'corrected'))
    assert_close(torch.tensor(slots), expected, rtol=0, atol=1e-6)
    assert cursor == get('pointer_after').tolist()


# One slot per image


def test_a_region_goes_to_the_slot_of_its_image():
    memory = write(image_memory(), [1.0, 2, 3], [1, 0, 1], img_ids=['c', 'c', 'a'])
    assert memory.slots.squeeze(2).tolist() == [[0, 2, 0], [3, 0, 1]]
    assert memory.filled.tolist() == [[False, True, False], [True, False, True]]


def test_an_image_evolves_with_its_embeddings():
    memory = image_memory(momentum=0.75)
    for value in (4.0, 8.0):
        write(memory, [value], [1], img_ids=['b'])
    assert memory.slots[1].flatten().tolist() == [0, 5, 0]


def test_an_image_twice_in_a_step_is_stored_twice_in_turn():
    memory = write(image_memory(momentum=0.75), [4.0, 8.0], [1, 1], img_ids=['b', 'b'])
    assert memory.slots[1].flatten().tolist() == [0, 5, 0]


def test_random_images_equal_a_loop_over_the_regions(rng):
    memory = image_memory(momentum=0.9)
    slots, filled, _ = state(memory)
    owners = [('a', 0), ('a', 1), ('b', 1), ('c', 0), ('c', 1)]
    for _ in range(4):
        chosen = [owners[i] for i in torch.randint(5, (8,), generator=rng)]
        f = torch.randn(8, 1, generator=rng)
        gate = (torch.rand(8, generator=rng) < 0.6).tolist()
        write(memory, f, [c for _, c in chosen], gate=gate, img_ids=[i for i, _ in chosen])
        regions = [(*own, g, v) for own, g, v in zip(chosen, gate, f.tolist(), strict=True)]
        reference.images(slots, filled, ENTRIES, regions, 0.9)
    assert_close(memory.slots, torch.tensor(slots), rtol=0, atol=1e-6)
    assert memory.filled.tolist() == filled


def test_a_class_that_the_image_does_not_have_is_left_out():
    assert not write(image_memory(), [1.0], [0], img_ids=['b']).filled.any()


def test_no_region_of_any_image_changes_nothing():
    assert not write(image_memory(), [], [], img_ids=[]).filled.any()


def test_without_a_table_the_hook_is_named():
    memory = RegionMemory(2, 1, entry='image')
    with pytest.raises(UserInputError, match=r"RegionEntriesHook.*'ring'"):
        write(memory, [1.0], [0], img_ids=['a'])


def test_an_image_that_is_not_in_the_table_is_named():
    with pytest.raises(UserInputError, match="'x' is not in the table of images, 4 in all"):
        write(image_memory(), [1.0, 2.0], [1, 1], img_ids=['b', 'x'])


def test_too_few_slots_say_how_many_are_needed():
    with pytest.raises(UserInputError, match='class 1 is in 3 images, but `slots` is 2'):
        image_memory(slots=2)


def test_a_class_beyond_the_memory_is_named():
    with pytest.raises(UserInputError, match='class 2, but `num_classes` is 2'):
        image_memory().set_entries({'a': {2: 0}})


def test_a_table_without_images_is_an_error():
    with pytest.raises(UserInputError, match='no image'):
        image_memory().set_entries({})


def test_a_resumed_run_goes_on_with_the_same_images():
    memory = write(image_memory(), [1.0], [1], img_ids=['b'])
    resumed = RegionMemory(2, 1, slots=3, entry='image')
    resumed.load_state_dict(memory.state_dict())
    resumed.set_entries(dict(reversed(ENTRIES.items())))
    assert state(resumed) == state(memory)
    assert state(write(resumed, [5.0], [0], img_ids=['c'])) == state(
        write(memory, [5.0], [0], img_ids=['c'])
    )


def test_regions_of_other_images_are_dropped():
    memory = write(image_memory(), [1.0], [1], img_ids=['b'])
    resumed = RegionMemory(2, 1, slots=3, entry='image')
    resumed.load_state_dict(memory.state_dict())
    resumed.set_entries({**ENTRIES, 'b': {0: 2}})
    assert not resumed.filled.any()
    assert not resumed.slots.any()


# Options and processes


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(slots=0), '`slots` to be at least 1, got 0'),
        (dict(momentum=1.0), '`momentum` to be at least 0 and below 1, got 1.0'),
        (dict(momentum=-0.1), '`momentum`'),
        (dict(entry='queue'), "'ring' or 'image', got 'queue'"),
        (dict(entry='image', official=True), "`official` needs entry='ring'"),
    ],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        RegionMemory(2, 1, **options)


@pytest.mark.parametrize('make', [ring, image_memory])
def test_two_processes_have_the_memory_of_one_with_the_whole_batch(on_two_ranks, make):
    # The processes have different numbers of regions, at one step none.
    steps = [
        [([1.0, 2.0, 3.0], [0, 1, 1], ['a', 'a', 'b']), ([4.0], [1], ['c'])],
        [([], [], []), ([5.0, 6.0], [0, 1], ['c', 'b'])],
        [([7.0], [1], ['b']), ([8.0, 9.0], [1, 1], ['b', 'a'])],  # b is in both
    ]

    def run(rank):
        memory = make(momentum=0.5)
        for parts in steps:
            embeddings, classes, ids = parts[rank]
            write(memory, embeddings, classes, img_ids=ids, batch_size=2)
        return state(memory)

    whole = make(momentum=0.5)
    for (f, c, i), (g, d, j) in steps:
        write(whole, f + g, c + d, img_ids=i + j)
    assert on_two_ranks(run) == [state(whole)] * 2
