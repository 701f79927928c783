"""Time the final test of a segmentor, with its CRF, against a plain chain.

python tools/benchmarks/benchmark_segmentor_test.py CONFIG CHECKPOINT --images 20

The plain chain reads an image, predicts it, refines all classes and continues with the next one,
all in this process; it is timed by part. The product is the test loop of tools/test.py --tta, in
which processes refine the noticeable classes while the network runs; its time includes their start.
With --network, logits are predicted beforehand, and sleeping takes the network's place, as a GPU
leaves the cores free. The test is that of the config, or of --test-time.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from mmengine.structures import PixelData
from torch import Tensor, nn

from mmwsss.engine.pipeline.stage import build_runner
from mmwsss.models.segmentors.logit_average_tta import finish_step

TEST_TIME = Path(__file__).parents[2] / 'configs/_base_/test_time/multi_scale_flip_crf.py'


class KnownLogits(nn.Module):
    """Takes some seconds for the views of an image, and returns its known logits."""

    def __init__(self, logits: dict[str, Tensor], seconds: float) -> None:
        super().__init__()
        self.logits = logits
        self.seconds = seconds

    def test_step(self, data: dict) -> list:
        """Give the samples of a batch their logits."""
        time.sleep(self.seconds)
        for sample in data['data_samples']:
            sample.seg_logits = PixelData(data=self.logits[sample.img_path])
        return data['data_samples']


def load(args: argparse.Namespace) -> Config:
    config = Config.fromfile(args.config)
    if 'tta_model' not in config:
        config.merge_from_dict(Config.fromfile(args.test_time)._cfg_dict.to_dict())
    config.load_from = args.checkpoint
    config.test_cfg = dict(type='SegmentorTestLoop', num_workers=args.workers)
    config.custom_hooks = []
    config.test_dataloader.dataset.indices = args.images
    return config


def make_runner(config: Config, logits: dict[str, Tensor], args: argparse.Namespace) -> Runner:
    runner = build_runner(config, Path(tempfile.mkdtemp()), task='test', tta=True)
    runner.load_or_resume()
    runner.call_hook('before_run')
    runner.model.eval()
    if logits:
        views = len(runner.test_dataloader.dataset[0]['inputs'])
        runner.model.module = KnownLogits(logits, args.network / views)
    return runner


@torch.no_grad()
def known_logits(runner: Runner) -> dict[str, Tensor]:
    found = {}
    for batch in runner.test_dataloader:
        for sample in runner.model.start_step(batch)[0]:
            found[sample.img_path] = sample.seg_logits.data
    return found


@torch.no_grad()
def plain(runner: Runner) -> tuple[dict[str, float], float]:
    """Return the seconds of each part, and the mean IoU."""
    loop, model = runner.test_loop, runner.model
    negligible, model.negligible = model.negligible, 0
    dataset, seconds = loop.dataloader.dataset, dict.fromkeys(('read', 'network', 'CRF'), 0.0)
    for i in range(len(dataset)):
        times = [time.perf_counter()]
        batch = pseudo_collate([dataset[i]])
        times.append(time.perf_counter())
        samples, jobs = model.start_step(batch)
        times.append(time.perf_counter())
        finish_step(samples, [job() for job in jobs])
        times.append(time.perf_counter())
        for part, start, end in zip(seconds, times, times[1:], strict=False):
            seconds[part] += end - start
        loop.evaluator.process(samples, batch)
    model.negligible = negligible
    return seconds, loop.evaluator.evaluate(len(dataset))['mIoU']


def product(runner: Runner) -> tuple[float, float]:
    """Return the seconds of the loop, and the mean IoU."""
    start = time.perf_counter()
    metrics = runner.test_loop.run()
    return time.perf_counter() - start, metrics['mIoU']


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--images', type=int, default=20)
    parser.add_argument('--workers', type=int, help='default: the free cores')
    parser.add_argument('--network', type=float, help='seconds per image, instead of a network')
    parser.add_argument('--repeats', type=int, default=1)
    parser.add_argument('--threads', type=int, default=1, help='of the network')
    parser.add_argument('--test-time', default=TEST_TIME, help='if the config has no tta_model')
    args = parser.parse_args()
    config, logits = load(args), {}
    if args.network is not None:
        logits = known_logits(make_runner(config, {}, args))
    runner = make_runner(config, logits, args)
    torch.set_num_threads(args.threads)
    for _ in range(args.repeats):
        parts, plain_miou = plain(runner)
        serial = sum(parts.values())
        for part, seconds in parts.items():
            share = 100 * seconds / serial
            print(f'plain, {part:8} {seconds / args.images:7.3f} s an image, {share:3.0f} %')
        seconds, miou = product(runner)
        print(f'plain           {serial / args.images:7.3f} s an image, mIoU {plain_miou:.2f}')
        print(f'product         {seconds / args.images:7.3f} s an image, mIoU {miou:.2f}')
        print(f'ratio           {serial / seconds:7.2f}')


if __name__ == '__main__':
    main()
