import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric
from PIL import Image

from mmwsss.engine.ranks import sum_over_ranks
from mmwsss.evaluation import evaluate_label_folder, label_agreement, masks_of_dataset
from mmwsss.evaluation.label_folder import count_pixels
from mmwsss.structures import UserInputError

CLASSES = ('background', 'a', 'b')


def write(folder, name, label):
    folder.mkdir(exist_ok=True)
    path = folder / f'{name}.png'
    Image.fromarray(np.asarray(label, dtype=np.uint8)).save(path)
    return path


def folders(tmp_path, labels, masks):
    for name, label in labels.items():
        write(tmp_path / 'labels', name, label)
    return tmp_path / 'labels', {
        name: {'seg_map_path': write(tmp_path / 'masks', name, mask)}
        for name, mask in masks.items()
    }


def test_figures_of_four_pixels_by_hand(tmp_path):
    labels, masks = folders(tmp_path, {'x': [[0, 1, 1, 1]]}, {'x': [[0, 0, 1, 255]]})
    quality = evaluate_label_folder(labels, masks, classes=CLASSES[:2])
    np.testing.assert_allclose(quality.iou, [50, 50])
    np.testing.assert_allclose(quality.precision, [100, 50])
    np.testing.assert_allclose(quality.recall, [50, 100])
    assert quality.metrics == {'mIoU': 50, 'precision': 75, 'recall': 75, 'mIoU_small': 50}


def test_figures_equal_those_of_the_metric_of_mmseg(tmp_path):
    random = np.random.default_rng(0)
    values = np.array([0, 1, 2, 255])
    maps = {
        str(i): (random.choice(values[:3], (9, 7)), random.choice(values, (9, 7))) for i in 'abc'
    }
    labels, masks = folders(
        tmp_path, {k: v[0] for k, v in maps.items()}, {k: v[1] for k, v in maps.items()}
    )
    metric = IoUMetric(iou_metrics=['mIoU', 'mFscore'])
    metric.dataset_meta = {'classes': CLASSES}
    for label, mask in maps.values():
        pair = {'pred_sem_seg': torch.tensor(label)[None], 'gt_sem_seg': torch.tensor(mask)[None]}
        metric.process({}, [{key: {'data': value} for key, value in pair.items()}])
    expected = metric.evaluate(size=3)
    found = evaluate_label_folder(labels, masks, classes=CLASSES).metrics
    for ours, theirs in (('mIoU', 'mIoU'), ('precision', 'mPrecision'), ('recall', 'mRecall')):
        assert found[ours] == pytest.approx(float(expected[theirs]), abs=0.011)


def test_counts_are_those_of_mmseg_also_for_ignored_pixels_and_foreign_values():
    random = np.random.default_rng(0)
    values = np.array([0, 1, 2, 3, 7, 254, 255], dtype=np.uint8)
    for _ in range(20):
        label, mask = random.choice(values, (2, 31, 37))
        pair = torch.tensor(label), torch.tensor(mask)
        expected = torch.stack(IoUMetric.intersect_and_union(*pair, 4, 255))
        np.testing.assert_array_equal(count_pixels(label, mask, 4)[:4], expected)


def test_ranks_that_share_the_images_find_what_one_process_finds(tmp_path, on_ranks):
    random = np.random.default_rng(0)
    label, mask = random.choice([0, 1, 2, 255], (2, 5, 60, 50))
    labels, masks = folders(
        tmp_path, dict(zip('abcde', label, strict=True)), dict(zip('abcde', mask, strict=True))
    )

    def report(_=0, **options):
        return str(evaluate_label_folder(labels, masks, classes=CLASSES, **options))

    found = on_ranks(3, lambda rank: report(rank, sum_over=sum_over_ranks))
    assert found == [report()] * 3


def test_a_damaged_label_is_the_same_mistake_on_every_rank(tmp_path, on_ranks):
    maps = {name: [[0]] for name in 'abcd'}
    labels, masks = folders(tmp_path, maps, maps)
    (labels / 'c.png').write_bytes(b'no image')

    def mistake(_):
        with pytest.raises(UserInputError) as error:
            evaluate_label_folder(labels, masks, classes=CLASSES, sum_over=sum_over_ranks)
        return str(error.value)

    first, second = on_ranks(2, mistake)
    assert first == second
    assert 'c.png' in first


def test_pixels_a_label_ignores_count_as_missed(tmp_path):
    labels, masks = folders(tmp_path, {'x': [[0, 1, 255]]}, {'x': [[0, 1, 1]]})
    quality = evaluate_label_folder(labels, masks, classes=CLASSES[:2])
    np.testing.assert_allclose(quality.recall, [100, 50])
    np.testing.assert_allclose(quality.precision, [100, 100])


def test_a_class_in_neither_labels_nor_masks_does_not_count(tmp_path):
    labels, masks = folders(tmp_path, {'x': [[0, 1]]}, {'x': [[0, 1]]})
    quality = evaluate_label_folder(labels, masks, classes=CLASSES)
    assert np.isnan(quality.iou[2])
    assert quality.metrics['mIoU'] == 100


def test_masks_of_ignored_pixels_alone_give_no_figures(tmp_path):
    labels, masks = folders(tmp_path, {'x': [[0, 1]]}, {'x': [[255, 255]]})
    assert evaluate_label_folder(labels, masks, classes=CLASSES).metrics == {}


def test_large_and_small_objects_are_reported_apart(tmp_path):
    large, small = np.zeros((100, 100)), np.zeros((100, 100))
    large[:, :97], small[:10, :10] = 1, 1
    labels, masks = folders(
        tmp_path, {'x': large, 'y': np.zeros((100, 100))}, {'x': large, 'y': small}
    )
    quality = evaluate_label_folder(labels, masks, classes=CLASSES)
    assert quality.size_iou['large'] == 100
    assert quality.size_iou['small'] == 0
    assert np.isnan(quality.size_iou['medium'])


def test_the_report_names_split_count_and_ignore_rule(tmp_path):
    labels, masks = folders(tmp_path, {'x': [[0, 1]]}, {'x': [[0, 1]]})
    text = str(evaluate_label_folder(labels, masks, classes=CLASSES, split='val.txt'))
    assert 'val.txt, 1 images' in text
    assert 'true label is 255 are left out' in text


def test_only_agreeing_pixels_are_evaluated_on_request(tmp_path):
    labels, masks = folders(tmp_path, {'x': [[0, 1, 1]]}, {'x': [[0, 1, 0]]})
    write(tmp_path / 'second', 'x', [[0, 1, 0]])
    quality = evaluate_label_folder(
        labels, masks, classes=CLASSES, second_label_dir=tmp_path / 'second'
    )
    assert quality.metrics['mIoU'] == 100


def test_agreement_is_measured_where_a_map_has_an_object_or_in_boxes(tmp_path):
    write(tmp_path / 'first', 'x', [[0, 0, 1, 1], [0, 0, 0, 0]])
    write(tmp_path / 'second', 'x', [[0, 2, 2, 1], [0, 0, 0, 0]])
    pair = tmp_path / 'first', tmp_path / 'second'
    assert label_agreement(*pair, ['x']).share == pytest.approx(100 / 3)
    boxes = {'x': np.array([[2, 0, 4, 2]])}
    assert label_agreement(*pair, ['x'], boxes=boxes).share == pytest.approx(75)


def test_agreement_without_any_object_is_not_a_number(tmp_path):
    write(tmp_path / 'first', 'x', [[0]])
    assert np.isnan(label_agreement(tmp_path / 'first', tmp_path / 'first', ['x']).share)


def test_missing_labels_are_counted_and_named(tmp_path):
    labels, masks = folders(tmp_path, {'x': [[0]]}, {'x': [[0]], 'y': [[0]]})
    with pytest.raises(UserInputError, match=r'lacks the labels of 1 of 2 images.*y\.png'):
        evaluate_label_folder(labels, masks, classes=CLASSES)


def test_a_label_of_another_size_is_refused(tmp_path):
    labels, masks = folders(tmp_path, {'x': [[0, 0]]}, {'x': [[0]]})
    with pytest.raises(UserInputError, match='1x2 and 1x1'):
        evaluate_label_folder(labels, masks, classes=CLASSES)


def test_an_empty_list_of_images_is_refused(tmp_path):
    with pytest.raises(UserInputError, match='no image to evaluate'):
        evaluate_label_folder(tmp_path, {}, classes=CLASSES)


def test_masks_are_listed_from_a_data_set():
    class Dataset(list):
        def get_data_info(self, index):
            return self[index]

    mask = {'seg_map_path': 'masks/a.png', 'mask_values': {0: 0}}
    infos = Dataset([{'img_path': 'images/a.jpg', **mask}, {'img_path': 'images/b.jpg'}])
    assert masks_of_dataset(infos) == {'a': mask}
    with pytest.raises(UserInputError, match='seg_map_path'):
        masks_of_dataset(Dataset([{'img_path': 'images/a.jpg'}]))
