from types import SimpleNamespace
from typing import ClassVar

import pytest
from PIL import Image

from mmwsss.engine.labels import disk_space
from mmwsss.engine.labels.disk_space import forecast_scores
from mmwsss.engine.pipeline.kept_scores import check_space
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.engine.pipeline.stages import Stage
from mmwsss.structures import UserInputError

LABELS = dict(seed=dict(background=dict(type='ConstantBackground', threshold=0.5)))


class Images(list):
    metainfo: ClassVar = dict(classes=('background', 'a', 'b', 'c', 'd'))

    def get_data_info(self, index):
        return self[index]


@pytest.fixture
def free(monkeypatch):
    """Simulate a disk with this many free bytes."""

    def set_free(count):
        usage = SimpleNamespace(free=count)
        monkeypatch.setattr(disk_space.shutil, 'disk_usage', lambda _: usage)

    return set_free


@pytest.fixture
def photo(tmp_path):
    Image.new('RGB', (10, 7)).save(tmp_path / 'a.png')
    return str(tmp_path / 'a.png')


@pytest.mark.parametrize(
    ('label', 'strides', 'expected'),
    [
        (dict(gt_label=[0, 2]), dict(seed=1), 3 * 70 * 0.8),
        (dict(gt_label=[]), dict(seed=4), 1 * 6 * 1.3),  # 2 x 3 cells
        (dict(instances=[dict(bbox_label=1)] * 2), dict(a=1, b=4), 2 * (70 * 0.8 + 6 * 1.3)),
        (dict(), dict(seed=1), 5 * 70 * 0.8),  # maps of all classes
    ],
)
def test_the_forecast_follows_from_sizes_labels_and_strides(
    photo, tmp_path, free, label, strides, expected
):
    free(100)
    images = Images([dict(img_path=photo, **label)] * 50)
    forecast = forecast_scores(images, strides, tmp_path / 'not/there')
    assert forecast.needed == pytest.approx(50 * expected)
    assert (forecast.images, forecast.sampled, forecast.free) == (50, 32, 100)


def test_only_what_clearly_does_not_fit_is_refused(photo, tmp_path, free):
    images = Images([dict(img_path=photo, gt_label=[0])] * 50_000)  # 5.6 MB
    for space, tight in ((6e6, False), (5e6, True), (1.2e6, True)):
        free(int(space))
        forecast = forecast_scores(images, dict(seed=1), tmp_path)
        assert forecast.is_tight == tight
        forecast.check()
    free(1_000_000)
    with pytest.raises(
        UserInputError, match=r'5\.6 MB of scores \(images: 50000, .* of 32\), with 1\.0 MB free'
    ):
        forecast_scores(images, dict(seed=1), tmp_path).check()


def test_without_kept_scores_there_is_nothing_to_forecast(photo, tmp_path):
    assert forecast_scores(Images([dict(img_path=photo)]), {}, tmp_path) is None


def test_labels_say_what_their_scores_take(shapes_data, label_config, tmp_path, free):
    free(10**9)
    config = label_config(shapes_data, 'val', tmp_path / 'out', LABELS, keep_scores=('seed',))
    run_stage(config, tmp_path / 'work' / 'a' / 'b', task='test')
    log = next((tmp_path / 'work').rglob('*.log')).read_text()
    assert 'keep up to about 0.' in log and 'MB of scores' in log and '1.0 GB free' in log


def test_a_full_disk_stops_a_pipeline_before_its_first_stage(
    shapes_data, label_config, tmp_path, free
):
    config = label_config(shapes_data, 'val', tmp_path / 'out', LABELS, keep_scores=('seed',))
    stage = Stage('labels', config, task='test')
    free(10**9)
    check_space(stage, tmp_path)
    free(1000)
    with pytest.raises(UserInputError, match=r'0\.0 MB free in .*out\. Free some space'):
        check_space(stage, tmp_path)
    (tmp_path / 'out/seed_scores').mkdir(parents=True)  # the loop knows what remains to be made
    check_space(stage, tmp_path)
