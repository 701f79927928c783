from itertools import islice

import numpy as np
import pytest

from mmwsss.datasets.samplers import disjoint_pair_sampler
from mmwsss.datasets.samplers.disjoint_pair_sampler import pair_disjoint
from mmwsss.registry import DATA_SAMPLERS
from mmwsss.structures import UserInputError


class TaggedImages:
    """A data set of tags only."""

    def __init__(self, tags):
        self.tags = tags

    def __len__(self):
        return len(self.tags)

    def get_data_info(self, index):
        return {'gt_label': self.tags[index]}


def build(tags, **options):
    config = dict(type='DisjointPairSampler', **{'seed': 0, **options})
    return DATA_SAMPLERS.build(config, default_args=dict(dataset=TaggedImages(tags)))


def random_images(num_images, num_classes, frequent=0.0):
    """One or two classes per image, with the given frequency of the first class."""
    rng = np.random.default_rng(1)
    present = np.eye(num_classes, dtype=bool)[rng.integers(1, num_classes, num_images)]
    present[:, 0] = rng.random(num_images) < frequent
    return present


def pairs_of(present, seed=0):
    return pair_disjoint(present, np.random.default_rng(seed))


def test_four_images_of_two_classes_pair_in_the_only_way():
    pairs = pairs_of(np.eye(2, dtype=bool)[[0, 0, 1, 1]])
    assert sorted(sorted(pair)[0] for pair in pairs.tolist()) == [0, 1]
    assert sorted(sorted(pair)[1] for pair in pairs.tolist()) == [2, 3]


@pytest.mark.parametrize('num_classes', [20, 150])
def test_nearly_every_image_is_in_one_pair_if_no_class_is_in_more_than_half(num_classes):
    present = random_images(600, num_classes, frequent=0.4)
    pairs = pairs_of(present)
    assert set(pairs.flatten().tolist()) == set(range(600))
    assert len(pairs) <= 303
    assert not (present[pairs[:, 0]] & present[pairs[:, 1]]).any()


def test_partners_are_drawn_again_when_a_class_is_in_more_than_half():
    present = random_images(400, 20, frequent=0.8)
    pairs = pairs_of(present)
    assert set(pairs.flatten().tolist()) == set(range(400))
    assert not (present[pairs[:, 0]] & present[pairs[:, 1]]).any()


def test_an_image_without_a_class_has_a_partner_but_is_none():
    present = random_images(50, 6)
    present[:9] = False
    pairs = pairs_of(present)
    assert set(pairs[:, 0].tolist()) >= set(range(9))
    assert not set(pairs[:, 1].tolist()) & set(range(9))


@pytest.mark.parametrize('tags', [[[0]], [[0], [0, 1], [0]], [[], []]])
def test_without_any_possible_partner_all_images_are_still_drawn(tags):
    drawn = list(islice(iter(build(tags)), 20 * len(tags)))
    assert set(drawn) == set(range(len(tags)))


def test_pairs_differ_from_pass_to_pass():
    first, second = (pairs_of(random_images(60, 8), seed) for seed in (0, 1))
    assert not np.array_equal(np.sort(first, axis=0), np.sort(second, axis=0))


def test_indices_are_endless_and_come_pair_by_pair():
    tags = [[i % 3] for i in range(12)]
    drawn = list(islice(iter(build(tags)), 100))
    assert all(a % 3 != b % 3 for a, b in zip(drawn[::2], drawn[1::2], strict=True))
    assert set(drawn[:14]) == set(range(12))  # six pairs, or seven if the last are of one class


def test_the_same_seed_gives_the_same_indices():
    tags = [[i % 5] for i in range(30)]
    assert list(islice(build(tags), 70)) == list(islice(build(tags), 70))
    assert list(islice(build(tags), 70)) != list(islice(build(tags, seed=1), 70))


def test_processes_share_the_pairs_of_one_run(monkeypatch):
    tags = [[i % 4] for i in range(24)]
    alone = np.reshape(list(islice(build(tags), 24)), (12, 2))
    for rank in (0, 1):
        monkeypatch.setattr(disjoint_pair_sampler, 'get_dist_info', lambda rank=rank: (rank, 2))
        assert list(islice(build(tags), 12)) == alone[rank::2].flatten().tolist()


def test_skipping_resumes_where_an_uninterrupted_run_is():
    tags = [[i % 4] for i in range(10)]
    sampler = build(tags)
    sampler.skip(13)
    assert list(islice(sampler, 20)) == list(islice(build(tags), 33))[13:]


def test_boxes_tell_the_classes_as_well():
    class BoxedImages(TaggedImages):
        def get_data_info(self, index):
            return {'instances': [{'bbox_label': label} for label in self.tags[index]]}

    tags = [[0, 1], [2, 2], [1], [0]]
    config = dict(type='DisjointPairSampler', seed=0)
    boxed = DATA_SAMPLERS.build(config, default_args=dict(dataset=BoxedImages(tags)))
    assert list(islice(boxed, 8)) == list(islice(build(tags), 8))


def test_images_without_weak_labels_are_named():
    class UnlabelledImages(TaggedImages):
        def get_data_info(self, index):
            return {'img_id': f'image_{index}'}

    with pytest.raises(UserInputError, match="'image_0' has neither tags nor boxes"):
        disjoint_pair_sampler.DisjointPairSampler(UnlabelledImages([[0]]), seed=0)


def test_a_batch_of_the_runner_holds_whole_pairs():
    from mmengine.runner import Runner
    from torch.utils.data import Dataset

    class TaggedDataset(TaggedImages, Dataset):
        def __getitem__(self, index):
            return index

    loader = Runner.build_dataloader(
        dict(
            dataset=TaggedDataset([[i % 3] for i in range(12)]),
            sampler=dict(type='DisjointPairSampler'),
            batch_size=4,
            num_workers=0,
            collate_fn=dict(type='default_collate'),
        ),
        seed=0,
    )
    for batch in islice(loader, 5):
        assert batch[0] % 3 != batch[1] % 3
        assert batch[2] % 3 != batch[3] % 3
