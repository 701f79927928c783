"""Maps kept during training: plain loops, then views, processes and mistakes."""

import numpy as np
import pytest
import torch
from mmseg.structures import SegDataSample

from mmwsss.engine.hooks.training_cams_hook import merge_processes
from mmwsss.models.objectives.training_cams import keep_maximum, quantize_maps
from mmwsss.registry import MODELS
from mmwsss.structures import CAMOutputs, UserInputError

LABELS = {'a': (0, 2), 'b': (1,), 'c': (), 'd': (0, 1, 2)}
ENTRIES = {'a': {0: 0, 2: 1}, 'b': {1: 2}, 'c': {}, 'd': {0: 3, 1: 4, 2: 5}}
NUM_ENTRIES = 6


def build(**options):
    objective = MODELS.build(dict(type='TrainingCAMs', num_classes=3, **options))
    objective.set_entries(ENTRIES)
    return objective


def sample_of(img_id, **meta):
    view = dict(img_id=img_id, ori_shape=(16, 24), img_shape=(16, 24), **meta)
    return SegDataSample(metainfo=view)


def show(objective, score_map, ids, **meta):
    images = torch.zeros(len(ids), 3, 16, 24)
    outputs = CAMOutputs(score_map, score_map, score_map.mean(dim=(2, 3)), images=images)
    assert objective(outputs, [sample_of(i, **meta) for i in ids], None) == {}


def reference(steps, *, last_epoch_from, min_score=0.1):
    """One entry after another, as the rule says: {(img_id, class): uint8 (h, w)}."""
    files = {}
    for number, (score_map, ids) in enumerate(steps):
        for scores, img_id in zip(score_map.numpy(), ids, strict=True):
            for label in LABELS[img_id]:
                positive = np.maximum(scores[label], 0)
                new = np.rint(255 * (positive / (positive.max() + np.float32(1e-8))))
                key = (img_id, label)
                if number >= last_epoch_from and key not in files:
                    files[key] = new
                    continue
                if 1 / (1 + np.exp(-scores[label].mean())) < min_score:
                    continue
                files[key] = np.maximum(files.get(key, 0), new)
    return files


def assert_table(objective, files):
    for img_id, classes in ENTRIES.items():
        for label, entry in classes.items():
            expected = files.get((img_id, label), np.zeros((4, 6)))
            assert np.array_equal(objective.maps[entry].numpy(), expected), (img_id, label)
            assert objective.stored[entry] == ((img_id, label) in files)


def random_steps(rng, epochs=3):
    """Steps of two images, in another order every epoch; many class scores are below 0.1."""
    ids = list(LABELS)
    steps = []
    for _ in range(epochs):
        order = torch.randperm(len(ids), generator=rng).tolist()
        for pair in (order[:2], order[2:]):
            level = torch.tensor([-2.6, 0.5, -2.0])[:, None, None]
            steps.append((torch.randn(2, 3, 4, 6, generator=rng) + level, [ids[i] for i in pair]))
    return steps


def test_a_map_becomes_bytes_by_its_own_maximum():
    maps = torch.tensor([[[-1.0, 0.5, 2.0]], [[-1.0, -0.5, 0.0]], [[3.0, 3.0, 1e-3]]])
    assert quantize_maps(maps).tolist() == [[[0, 64, 255]], [[0, 0, 0]], [[255, 255, 0]]]


def test_an_entry_that_occurs_twice_keeps_the_larger_value_of_what_counts():
    kept = torch.tensor([[[9, 9]], [[1, 5]]], dtype=torch.uint8)
    stored = torch.tensor([1, 0], dtype=torch.uint8)
    maps = torch.tensor([[[3, 4]], [[2, 7]], [[200, 200]]], dtype=torch.uint8)
    entries, counted = torch.tensor([1, 1, 0]), torch.tensor([True, True, False])
    keep_maximum(kept, stored, entries, maps, counted)
    assert kept.tolist() == [[[9, 9]], [[3, 7]]]
    assert stored.tolist() == [1, 1]


@pytest.mark.parametrize('last_epoch_from', [4, 6])
def test_shuffled_epochs_give_what_plain_loops_give(rng, last_epoch_from):
    steps = random_steps(rng)
    objective = build()
    for number, (score_map, ids) in enumerate(steps):
        objective.last_epoch = number >= last_epoch_from
        show(objective, score_map, ids)
    files = reference(steps, last_epoch_from=last_epoch_from)
    assert_table(objective, files)
    assert (len(files) == NUM_ENTRIES) == (last_epoch_from == 4)


def test_in_the_last_epoch_an_unlikely_map_counts_only_where_there_is_none():
    unlikely = torch.full((1, 3, 4, 6), -5.0)
    unlikely[:, :, 0, 0] = 1
    likely = unlikely + 4
    objective = build()
    show(objective, unlikely, ['b'])
    assert objective.stored.sum() == 0
    objective.last_epoch = True
    show(objective, unlikely, ['b'])
    assert objective.maps[2, 0].tolist() == [255, 0, 0, 0, 0, 0]
    show(objective, likely, ['a'])
    show(objective, unlikely.flip(-1), ['a'])
    assert objective.maps[0, 0].tolist() == [255, 0, 0, 0, 0, 0]


def test_a_score_at_the_threshold_counts():
    score_map = torch.zeros(1, 3, 4, 6)
    objective = build(min_score=0.5)
    show(objective, score_map, ['b'])
    assert objective.stored.tolist() == [0, 0, 1, 0, 0, 0]


def test_mirrored_views_are_mirrored_back(rng):
    score_map = torch.rand(2, 3, 4, 6, generator=rng)
    plain, mirrored = build(), build()
    show(plain, score_map, ['a', 'd'])
    show(mirrored, score_map.flip(-1), ['a', 'd'], flip=True, flip_direction='horizontal')
    assert mirrored.maps.equal(plain.maps)
    assert plain.maps.any()


def test_a_background_channel_is_left_out(rng):
    score_map = torch.rand(1, 3, 4, 6, generator=rng)
    plain, exclusive = build(), build()
    show(plain, score_map, ['d'])
    show(exclusive, torch.cat([torch.full((1, 1, 4, 6), 9.0), score_map], dim=1), ['d'])
    assert exclusive.maps.equal(plain.maps)


def test_images_without_a_class_leave_the_table_empty(rng):
    objective = build()
    show(objective, torch.rand(1, 3, 4, 6, generator=rng), ['c'])
    assert objective.maps.shape == (NUM_ENTRIES, 4, 6)
    assert objective.stored.sum() == 0


def test_half_precision_is_computed_in_single_precision(rng):
    score_map = torch.rand(1, 3, 4, 6, generator=rng).half()
    half, single = build(), build()
    show(half, score_map, ['d'])
    show(single, score_map.float(), ['d'])
    assert half.maps.equal(single.maps)


def test_there_is_no_gradient_and_nothing_to_save_in_the_model(rng):
    objective = build()
    show(objective, torch.rand(1, 3, 4, 6, generator=rng, requires_grad=True), ['d'])
    assert not objective.maps.requires_grad
    assert objective.state_dict() == {}


def _on_rank(rank):
    steps = random_steps(torch.Generator().manual_seed(0))
    objective = build()
    for number, (score_map, ids) in enumerate(steps):
        if number == 4:
            merge_processes(objective)
        objective.last_epoch = number >= 4
        show(objective, score_map[rank : rank + 1], ids[rank : rank + 1])
    merge_processes(objective)
    return objective.maps.tolist(), objective.stored.tolist()


def test_two_processes_end_with_the_maps_of_one(on_two_ranks):
    steps = random_steps(torch.Generator().manual_seed(0))
    files = reference(steps, last_epoch_from=4)
    for maps, stored in on_two_ranks(_on_rank):
        objective = build()
        objective.maps = torch.tensor(maps, dtype=torch.uint8)
        objective.stored = torch.tensor(stored)
        assert_table(objective, files)


def test_maps_of_another_size_than_before_are_refused(rng):
    objective = build()
    show(objective, torch.rand(1, 3, 4, 6, generator=rng), ['d'])
    with pytest.raises(
        UserInputError, match=r'maps are 4x5, but were 4x6 before .*keep_ratio=False'
    ):
        show(objective, torch.rand(1, 3, 4, 5, generator=rng), ['d'])


@pytest.mark.parametrize(
    'view',
    [
        dict(ori_shape=(32, 24)),  # cropped
        dict(img_shape=(16, 20), scale_factor=(20 / 24, 1.0)),  # padded in the batch
        dict(scale_factor=(0.5, 0.5), ori_shape=(40, 48)),  # resized, then cropped
    ],
)
def test_views_that_are_cropped_or_padded_are_refused(view):
    sample = SegDataSample(
        metainfo={**dict(img_id='d', ori_shape=(16, 24), img_shape=(16, 24)), **view}
    )
    score_map = torch.zeros(1, 3, 4, 6)
    outputs = CAMOutputs(score_map, score_map, score_map, images=torch.zeros(1, 3, 16, 24))
    with pytest.raises(UserInputError, match=r"the view of 'd'.*must show the whole image"):
        build()(outputs, [sample], None)


def test_a_resized_view_shows_the_whole_image():
    scaled = dict(img_id='d', ori_shape=(375, 500), scale_factor=(24 / 500, 16 / 375))
    sample = SegDataSample(metainfo=dict(img_shape=(16, 24), **scaled))
    score_map = torch.ones(1, 3, 4, 6)
    outputs = CAMOutputs(score_map, score_map, score_map, images=torch.zeros(1, 3, 16, 24))
    objective = build()
    objective(outputs, [sample], None)
    assert objective.stored.tolist() == [0, 0, 0, 1, 1, 1]


def test_views_that_are_flipped_vertically_are_refused():
    with pytest.raises(UserInputError, match="flipped 'vertical'"):
        show(build(), torch.zeros(1, 3, 4, 6), ['d'], flip=True, flip_direction='vertical')


def test_an_image_that_was_not_announced_is_refused():
    with pytest.raises(
        UserInputError, match=r"'z' is not among the announced images, 4 in all.*TrainingCAMsHook"
    ):
        show(build(), torch.zeros(1, 3, 4, 6), ['z'])


@pytest.mark.parametrize('options', [dict(num_classes=0), dict(num_classes=3, min_score=1.5)])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=list(options)[-1]):
        MODELS.build(dict(type='TrainingCAMs', **options))
