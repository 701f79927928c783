"""Fixtures for all tests, and how long the tests may take.

The default suite (``make test``) takes less than 8 minutes on two quiet cores. A test that takes
more than a few seconds is marked ``slow``; ``make test-all`` runs those as well. Waiting for a
process may take up to :data:`faults.warm.PATIENCE`, so that no test fails on a loaded machine.
"""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')  # tiny tests are many times faster on one thread

import functools
import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from faults.warm import PATIENCE, WarmProcess
from mmengine.config import Config
from mmengine.registry import DefaultScope

import mmwsss  # noqa: F401  (applies the package compatibility)

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def mmwsss_scope():
    """Every test builds with plain names, as a config with default_scope='mmwsss' does."""
    with DefaultScope.overwrite_default_scope('mmwsss'):
        yield


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope='session')
def oracle():
    """Load a numeric reference file from tests/data by its name."""

    def load(name: str) -> dict[str, np.ndarray]:
        with np.load(Path(__file__).parent / 'data' / f'{name}.npz', allow_pickle=False) as file:
            return {key: file[key] for key in file.files}

    return load


@pytest.fixture(scope='session')
def cases_of(oracle):
    """Return the numbered cases of a numeric reference file, each a dict of tensors."""

    def load(name: str) -> list[dict[str, torch.Tensor]]:
        arrays = oracle(name)
        return [
            {
                key.removeprefix(f'c{k}_'): torch.from_numpy(value)
                for key, value in arrays.items()
                if key.startswith(f'c{k}_')
            }
            for k in range(int(arrays['num_cases']))
        ]

    return load


@pytest.fixture(scope='session')
def tiny_classifier():
    """Config of a small classifier with these objectives; other options go to its head."""

    def of(
        *objectives: dict,
        num_classes: int,
        pooling: dict | None = None,
        norm_eval: bool = False,
        **head,
    ) -> dict:
        return dict(
            type='CAMClassifier',
            backbone=dict(type='ResNet', depth=18, base_channels=4, norm_eval=norm_eval),
            head={
                'type': 'CAMHead',
                'in_channels': 32,
                'num_classes': num_classes,
                'pooling': pooling or dict(type='GlobalAveragePooling'),
                **head,
            },
            objectives=list(objectives),
        )

    return of


@pytest.fixture(scope='session')
def shapes_data(tmp_path_factory):
    """Folder to set MMWSSS_DATA to: twelve training and six validation images of shapes."""
    root = tmp_path_factory.mktemp('data')
    tool = Path(__file__).parents[1] / 'tools/dataset_converters/make_shapes.py'
    sizes = ['--train', '12', '--val', '6', '--size', '96']
    command = [sys.executable, tool, root / 'shapes', *sizes]
    subprocess.run(command, check=True, timeout=PATIENCE)
    return root


@pytest.fixture(scope='session')
def label_config():
    """Config of a stage that labels shapes in this process, by default their filled boxes."""

    def of(
        data: Path, split: str, out_dir: Path, labels: dict, *, model: dict | None = None, **loop
    ) -> Config:
        config = dict(
            default_scope='mmwsss',
            model=model or dict(type='FilledBoxes'),
            test_cfg={
                'type': 'PseudoLabelLoop',
                'out_dir': str(out_dir),
                'num_workers': 0,
                'generator': dict(type='PseudoLabelGenerator', labels=labels),
                **loop,
            },
            test_evaluator=[],
            test_dataloader=dict(
                batch_size=1,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dict(
                    type='ShapesWeakDataset',
                    data_root=str(data / 'shapes'),
                    ann_file=f'ImageSets/Segmentation/{split}.txt',
                    test_mode=True,
                    pipeline=[
                        dict(type='LoadImage'),
                        dict(type='LoadWeakAnnotations'),
                        dict(type='PackWeakInputs'),
                    ],
                ),
            ),
        )
        return Config(config)

    return of


@pytest.fixture
def on_ranks():
    """Run a function of the rank in connected processes; return what each returned."""

    def run(number, function):
        with socket.socket() as server:
            server.bind(('127.0.0.1', 0))
            port = server.getsockname()[1]
        with torch.multiprocessing.Manager() as manager:
            results = manager.dict()
            torch.multiprocessing.start_processes(
                _run_rank,
                (number, port, function, results),
                nprocs=number,
                start_method='fork',  # avoids the imports of a fresh process
            )
            return [results[rank] for rank in range(number)]

    return run


@pytest.fixture(scope='session')
def warm():
    """A process that forks the tools, see :mod:`faults.warm`."""
    with WarmProcess() as process:
        yield process


@pytest.fixture(scope='session')
def load_tool():
    """Import a command-line tool by its path below tools/."""

    def load(path):
        file = Path(__file__).parents[1] / 'tools' / path
        spec = importlib.util.spec_from_file_location(file.stem, file)
        tool = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tool)
        return tool

    return load


@pytest.fixture
def on_two_ranks(on_ranks):
    """Run a function of the rank in two connected processes; return what each returned."""
    return functools.partial(on_ranks, 2)


def _run_rank(rank, world_size, port, function, results):
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), LOCAL_RANK=str(rank))
    dist.init_process_group('gloo', rank=rank, world_size=world_size)
    results[rank] = function(rank)
    dist.destroy_process_group()
