from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from torch import nn

from mmwsss.engine.hooks.region_entries_hook import region_entries
from mmwsss.models import RegionMemory
from mmwsss.registry import DATASETS, HOOKS
from mmwsss.structures import UserInputError

DEMO = Path(__file__).parents[3] / 'configs/demo'
TAGGED = [
    dict(img_id='a', gt_label=[0, 1]),
    dict(img_id='empty', gt_label=[]),
    dict(img_id='b', gt_label=[1]),
]
BOXED = [dict(img_id='c', instances=[dict(bbox_label=1), dict(bbox_label=0), dict(bbox_label=1)])]


class Images(BaseDataset):
    """A data set of labels only."""

    def __init__(self, infos):
        self.infos = infos
        super().__init__()

    def load_data_list(self):
        return list(self.infos)


class Contrast(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.memory = RegionMemory(2, 1, slots=4, **options)


def start(dataset, *objectives):
    runner = SimpleNamespace(
        model=SimpleNamespace(objectives=list(objectives)),
        train_dataloader=SimpleNamespace(dataset=dataset),
    )
    HOOKS.build(dict(type='RegionEntriesHook')).before_train(runner)


def filled_slots(memory, img_id, label):
    """Slots that are filled after an image was written."""
    memory.write(
        torch.ones(1, 1), torch.tensor([label]), torch.tensor([True]), [img_id], batch_size=1
    )
    return memory.filled.nonzero().tolist()


def test_images_of_a_class_are_numbered_in_their_order():
    labels = [('a', [0, 1]), ('empty', []), ('b', [1]), ('c', [1, 0])]
    assert region_entries(labels) == {
        'a': {0: 0, 1: 0},
        'empty': {},
        'b': {1: 1},
        'c': {0: 1, 1: 2},
    }


def test_an_image_that_occurs_again_keeps_its_slots_and_may_gain_classes():
    labels = [('a', [1]), ('b', [1]), ('a', [0, 1])]
    assert region_entries(labels) == {'a': {1: 0, 0: 0}, 'b': {1: 1}}


def test_a_class_named_twice_has_one_slot():
    assert region_entries([('a', [1, 1])]) == {'a': {1: 0}}


@pytest.mark.parametrize(
    'dataset',
    [
        Images(TAGGED + BOXED),
        RepeatDataset(Images(TAGGED + BOXED), times=2),
        ConcatDataset([Images(TAGGED), Images(BOXED)]),
    ],
)
def test_tags_and_boxes_are_read_through_wrappers(dataset):
    contrast = Contrast(entry='image')
    start(dataset, contrast)
    assert filled_slots(contrast.memory, 'c', 1) == [[1, 2]]


def test_all_memories_with_image_entries_get_the_table_and_others_none():
    first, second, other = Contrast(entry='image'), Contrast(entry='image'), Contrast()
    start(Images(TAGGED), nn.Identity(), first, other, second)
    assert filled_slots(first.memory, 'b', 1) == filled_slots(second.memory, 'b', 1) == [[1, 1]]
    assert len(other.memory.entry_table) == 0


@pytest.mark.parametrize('objectives', [[], [nn.Identity()], [Contrast()]])
def test_a_model_without_such_a_memory_is_an_error(objectives):
    with pytest.raises(UserInputError, match=r"no objective .* memory with entry='image'"):
        start(Images(TAGGED), *objectives)


def test_an_image_without_a_weak_label_is_named():
    with pytest.raises(UserInputError, match="image 'x' has neither tags nor boxes"):
        start(Images([*TAGGED, dict(img_id='x')]), Contrast(entry='image'))


def test_an_image_without_a_name_is_an_error():
    with pytest.raises(UserInputError, match=r"'x.jpg' of the data set has no `img_id`"):
        start(Images([dict(img_path='x.jpg', gt_label=[0])]), Contrast(entry='image'))


def test_a_data_set_of_another_kind_is_an_error():
    with pytest.raises(UserInputError, match='list has no `get_data_info`'):
        start([1, 2], Contrast(entry='image'))


def test_too_many_images_of_a_class_say_how_many_slots_are_needed():
    images = [dict(img_id=str(i), gt_label=[1]) for i in range(5)]
    with pytest.raises(UserInputError, match='class 1 is in 5 images, but `slots` is 4'):
        start(Images(images), Contrast(entry='image'))


def test_the_data_set_of_tags_or_boxes_has_what_the_hook_reads(shapes_data, monkeypatch):
    monkeypatch.setenv('MMWSSS_DATA', str(shapes_data))
    for name in ('psa-cam', 'bana-classifier'):
        config = Config.fromfile(DEMO / f'{name}_resnet18_shapes-96x96.py')
        dataset = DATASETS.build(config.train_dataloader.dataset)
        num_classes = len(dataset.foreground_classes)
        memory = RegionMemory(num_classes, 1, slots=len(dataset), entry='image')
        start(dataset, memory)
        info = dataset.get_data_info(0)
        label = info['gt_label'] if 'gt_label' in info else [info['instances'][0]['bbox_label']]
        assert filled_slots(memory, info['img_id'], label[0]) == [[label[0], 0]]
