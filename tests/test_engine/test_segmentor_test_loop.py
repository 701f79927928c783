import copy
import json
import multiprocessing
import os
import pickle
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope

from mmwsss.engine.labels.pool import RefinePool
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.registry import HOOKS, MODELS, TASK_UTILS
from mmwsss.structures import Refiner

CONFIGS = Path(__file__).parents[2] / 'configs'
SEGMENTOR = CONFIGS / 'demo/bana-nal_resnet18_shapes-96x96.py'
SEEN = []


@TASK_UTILS.register_module()
class SometimesSlow(Refiner):
    """Weights classes by the brightness of the image, and takes longer for some images."""

    in_worker = True

    def refine(self, scores, image, sample):
        time.sleep(0.3 * (int(image.sum()) % 2))
        bright = torch.from_numpy(image.max(axis=2) > 140)
        return torch.where(bright, scores.flip(0), scores)


@TASK_UTILS.register_module()
class KillsItsProcess(Refiner):
    in_worker = True

    def refine(self, scores, image, sample):
        assert multiprocessing.parent_process() is not None
        os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module()
class SeesOutputs(Hook):
    """Keeps what a hook sees after each batch."""

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        (sample,), views = outputs, data_batch['data_samples']
        same_image = sample.img_path == views[0][0].img_path
        SEEN.append((batch_idx, same_image, sample.pred_sem_seg.data.shape))


@pytest.fixture(scope='module')
def segmentor(shapes_data, tmp_path_factory):
    """Config of a test on five images with a random segmentor, without CRF."""
    lists = shapes_data / 'shapes/ImageSets/Segmentation'
    ids = (lists / 'val.txt').read_text().split()
    (lists / 'five.txt').write_text('\n'.join(ids[:5]) + '\n')
    config = Config.fromfile(SEGMENTOR)
    config.merge_from_dict(Config.fromfile(CONFIGS / '_base_/test_time/crf_resnet.py')._cfg_dict)
    config.test_dataloader.dataset.update(
        data_root=str(shapes_data / 'shapes'), ann_file='ImageSets/Segmentation/five.txt'
    )
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmwsss'):
        model = MODELS.build(config.model)
    model.init_weights()
    torch.nn.init.normal_(model.decode_head.conv_seg.weight)  # from 0.01, all pixels are alike
    config.load_from = str(tmp_path_factory.mktemp('segmentor') / 'random.pth')
    torch.save(dict(state_dict=model.state_dict(), meta={}), config.load_from)
    return config


@pytest.fixture
def run(segmentor, tmp_path, monkeypatch):
    """Test with a loop and a refiner; return the metrics and the dump of each image."""
    monkeypatch.chdir(tmp_path)  # mmengine collects the results of ranks in this folder

    def of(refiner, loop='SegmentorTestLoop', *, launcher='none', **options):
        config = copy.deepcopy(segmentor)
        config.tta_model.refiner = dict(type=refiner)
        config.test_cfg = dict(type=loop, **options)
        config.custom_hooks = [dict(type='SeesOutputs')]
        results = tmp_path / 'results.pkl'
        dump = dict(type='DumpResults', out_file_path=str(results))
        config.test_evaluator = [dict(type='IoUMetric'), dump]
        SEEN.clear()
        work_dir = tmp_path / 'work/a'
        found = run_stage(config, work_dir, task='test', tta=True, launcher=launcher).metrics
        return found, pickle.loads(results.read_bytes())

    return of


def check_equal(found, expected):
    assert found[0] == expected[0]
    for one, other in zip(found[1], expected[1], strict=True):
        assert one['img_path'] == other['img_path']
        for field in ('pred_sem_seg', 'seg_logits'):
            assert one[field]['data'].dtype == other[field]['data'].dtype
            assert torch.equal(one[field]['data'], other[field]['data'])


def test_processes_give_what_the_loop_of_mmengine_gives_and_in_its_order(run, monkeypatch):
    expected = run('SometimesSlow', 'TestLoop')
    labels = torch.stack([image['pred_sem_seg']['data'] for image in expected[1]])
    assert len(labels.unique()) > 1
    seen = list(SEEN)
    assert seen == [(i, True, (1, 96, 96)) for i in range(5)]
    submit, jobs = RefinePool.submit, []
    monkeypatch.setattr(RefinePool, 'submit', lambda *a: jobs.append(a) or submit(*a))
    check_equal(run('SometimesSlow', num_workers=2), expected)
    assert len(jobs) == 5
    assert seen == SEEN


@pytest.mark.slow
def test_a_process_that_dies_is_explained(run):
    with pytest.raises(RuntimeError, match='refinement process died'):
        run('KillsItsProcess', num_workers=1)


@pytest.mark.parametrize('num_workers', [0, pytest.param(1, marks=pytest.mark.slow)])
def test_two_ranks_test_every_image_once(num_workers, run, on_two_ranks):
    expected = run('SometimesSlow', num_workers=0)

    def on_rank(_):
        metrics, images = run('SometimesSlow', launcher='pytorch', num_workers=num_workers)
        return metrics, [(image['img_path'], digest(image)) for image in images]

    (metrics, images), other = on_two_ranks(on_rank)
    assert metrics == other[0] == expected[0]
    assert images == [(image['img_path'], digest(image)) for image in expected[1]]


def digest(image):
    return np.asarray(image['pred_sem_seg']['data']).tobytes()


def test_a_model_without_a_refiner_starts_no_process(segmentor, tmp_path, monkeypatch):
    config = copy.deepcopy(segmentor)
    monkeypatch.delattr(RefinePool, 'submit')
    found = []
    for config.test_cfg in (dict(type='TestLoop'), dict(type='SegmentorTestLoop')):
        work_dir = tmp_path / config.test_cfg.type / 'a'
        found.append(run_stage(config, work_dir, task='test').metrics)
    assert found[0] == found[1]


ON_A_DEVICE = """
import json, sys
from pathlib import Path
import fake_device
import mmengine.device.utils
from mmengine.config import Config
from mmengine.hooks import Hook
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.registry import HOOKS, TASK_UTILS
from mmwsss.structures import Refiner


@TASK_UTILS.register_module()
class Unchanged(Refiner):
    in_worker = True

    def refine(self, scores, image, sample):
        return scores


@HOOKS.register_module()
class SeesDevices(Hook):
    devices = []

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        assert next(runner.model.parameters()).device.type == fake_device.NAME
        self.devices += [value.data.device.type for value in outputs[0].values()]


mmengine.device.utils.DEVICE = f'{fake_device.NAME}:0'
fake_device.start()
config = Config.fromfile(sys.argv[1])
config.tta_model.refiner = dict(type='Unchanged')
config.test_cfg = dict(type='SegmentorTestLoop', num_workers=0)
config.custom_hooks = [dict(type='SeesDevices')]
run_stage(config, Path(sys.argv[2]), task='test', tta=True)
print(json.dumps(SeesDevices.devices))
"""


def test_what_waits_for_its_label_is_not_in_the_memory_of_the_device(segmentor, warm, tmp_path):
    script, config = tmp_path / 'script.py', tmp_path / 'config.py'
    script.write_text(ON_A_DEVICE)
    segmentor.dump(config)
    done = warm.run([script, config, tmp_path / 'work'])
    assert done.code == 0, done.stderr[-3000:]
    devices = json.loads(done.stdout.splitlines()[-1])
    assert len(devices) >= 10  # logits and labels of five images
    assert set(devices) == {'cpu'}
