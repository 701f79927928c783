"""Run tiny versions of pipelines on the fake device: on_fake_device.py REPORT FOLDER PIPELINE...

The report is a list of events with their stage and number.
"""

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path

import fake_device
import mmengine.device.utils
from mmengine.config import Config
from mmengine.model import BaseModel
from tiny import give_random_weights, make_tiny

from mmwsss.engine.labels.schedule import Schedule
from mmwsss.engine.pipeline.run import with_taken_paths
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.engine.pipeline.stages import load_stages


def main(report: Path, folder: Path, *pipelines: str) -> None:
    """Run all stages one after the other."""
    mmengine.device.utils.DEVICE = f'{fake_device.NAME}:0'
    BaseModel.train_step = _as_part('train', BaseModel.train_step)
    BaseModel.test_step = _as_part('predict', BaseModel.test_step)
    BaseModel.val_step = _as_part('predict', BaseModel.val_step)
    Schedule.start = _as_part('label', Schedule.start)
    fake_device.start()
    events = []
    for pipeline in pipelines:
        results = {}
        for stage in load_stages(Config.fromfile(pipeline)):
            make_tiny(stage.config, task=stage.task)
            give_random_weights(stage.config, folder)
            stage = with_taken_paths(stage, results)
            work_dir = folder / Path(pipeline).stem / stage.name
            results[stage.name] = run_stage(stage.config, work_dir, task=stage.task, tta=stage.tta)
            found, name = fake_device.EVENTS, f'{Path(pipeline).stem}.{stage.name}'
            events += [dict(event._asdict(), stage=name, count=n) for event, n in found.items()]
            found.clear()
    report.write_text(json.dumps(events))


def _as_part(name: str, function: Callable) -> Callable:
    @functools.wraps(function)
    def wrapper(*args: object, **kwargs: object) -> object:
        with fake_device.part_of_work(name):
            return function(*args, **kwargs)

    return wrapper


if __name__ == '__main__':
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
