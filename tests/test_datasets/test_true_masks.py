import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets import VOCWeakDataset
from mmwsss.datasets.true_masks import mask_values, read_true_mask
from mmwsss.registry import DATASETS
from mmwsss.structures import UserInputError

VOC = VOCWeakDataset.METAINFO['classes']
PETS = ('background', 'cat', 'dog')


def write(path, mask):
    Image.fromarray(np.uint8(mask)).save(path)
    return str(path)


def loaded(voc, mask, **options):
    """The mask of an image, as the pipeline of a segmentor's validation loads it."""
    voc.add('a', ('cat', (1, 1, 4, 5)), size=(np.shape(mask)[1], np.shape(mask)[0]))
    write(voc.root / 'SegmentationClass/a.png', mask)
    dataset = DATASETS.build(
        {
            'type': 'VOCWeakDataset',
            'ann_file': 'lists/train.txt',
            'data_root': str(voc.root),
            'data_prefix': {'seg_map_path': 'SegmentationClass'},
            'supervision': None,
            'pipeline': [
                {'type': 'LoadImage'},
                {'type': 'LoadAnnotations'},
                {'type': 'PackWeakInputs'},
            ],
            **options,
        }
    )
    return dataset[0]['data_samples'].gt_sem_seg.data[0].tolist()


def test_own_masks_keep_their_values_also_when_the_names_are_those_of_voc(voc):
    mask = [[0, 1, 2, 255]]
    assert loaded(voc, mask, metainfo={'classes': PETS}) == mask


@pytest.mark.parametrize(('others', 'horse'), [('background', 0), ('ignore', 255)])
def test_masks_of_voc_are_mapped_by_name_where_the_data_set_says_so(voc, others, horse):
    cat, horse_value, dog = (VOC.index(name) for name in ('cat', 'horse', 'dog'))
    options = dict(metainfo={'classes': PETS}, mask_classes=VOC, mask_others=others)
    found = loaded(voc, [[0, cat, horse_value, dog, 255]], **options)
    assert found == [[0, 1, horse, 2, 255]]


def test_the_classes_may_come_in_another_order(voc):
    found = loaded(voc, [[0, 1, 2]], metainfo={'classes': PETS}, mask_classes=('dog', *PETS[:2]))
    assert found == [[2, 0, 1]]


def test_a_value_of_no_class_is_refused_and_the_option_named(voc):
    with pytest.raises(UserInputError, match=r'a\.png has the value 15.*0\.\.2 or 255.*mask_class'):
        loaded(voc, [[0, 1, 15]], metainfo={'classes': PETS})


def test_a_value_of_no_class_of_the_masks_is_refused(voc):
    with pytest.raises(UserInputError, match=r'value 21.*expected 0\.\.20 or 255'):
        loaded(voc, [[0, 8, 21]], metainfo={'classes': PETS}, mask_classes=VOC)


def test_a_mask_of_another_size_than_its_image_is_refused(tmp_path):
    entry = {'seg_map_path': write(tmp_path / 'a.png', [[0, 1]]), 'num_classes': 1}
    with pytest.raises(UserInputError, match=r'a\.png is 1x2, but its image is 2x1'):
        read_true_mask(entry, image_shape=(2, 1))


def test_an_image_without_a_mask_is_named():
    with pytest.raises(UserInputError, match=r"no true mask of b\.jpg.*missing_seg_map='skip'"):
        read_true_mask({'img_path': 'b.jpg'})


def test_entries_of_other_data_sets_are_read_by_the_rules_of_mmsegmentation(tmp_path):
    path = write(tmp_path / 'a.png', [[0, 1, 2, 3, 255]])
    entry = {'seg_map_path': path, 'reduce_zero_label': True, 'label_map': {0: 1, 1: 0, 2: 255}}
    assert read_true_mask(entry).tolist() == [[255, 1, 0, 255, 255]]
    assert read_true_mask({'seg_map_path': path}).tolist() == [[0, 1, 2, 3, 255]]


@pytest.mark.parametrize(
    ('mask_classes', 'message'),
    [(('background', 'cat', 'dogs'), "lack 'dog'"), (('background', *PETS, 'dog'), 'twice')],
)
def test_classes_of_masks_that_do_not_fit_are_refused(mask_classes, message):
    with pytest.raises(UserInputError, match=message):
        mask_values(mask_classes, PETS)


def test_other_words_for_what_others_become_are_refused():
    with pytest.raises(UserInputError, match=r"'background', 'ignore'.*got 'skip'"):
        mask_values(PETS, PETS, others='skip')
