"""Test loop that refines predictions in other processes while the network continues."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple

import torch
from mmengine.evaluator import Evaluator
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, TestLoop
from mmengine.runner.amp import autocast
from mmseg.structures import SegDataSample
from torch.utils.data import DataLoader

from mmwsss.engine.cores import free_cores
from mmwsss.engine.labels.pool import RefinePool
from mmwsss.models.segmentors import LogitAverageTTA
from mmwsss.models.segmentors.logit_average_tta import finish_step
from mmwsss.registry import LOOPS


class _Batch(NamedTuple):
    """A batch that the network has seen; `labels` are those still made by processes."""

    batch_idx: int
    data: dict
    samples: Sequence[SegDataSample]
    labels: list[Future]

    @property
    def is_done(self) -> bool:
        return all(label.done() for label in self.labels)


@LOOPS.register_module()
class SegmentorTestLoop(TestLoop):
    """mmengine's test loop, with the CPU-bound refiner of a :class:`LogitAverageTTA` in a pool.

    Metrics and hooks get the same predictions in the same order, but on the CPU and some batches
    later: at most ``2 * num_workers`` batches wait for their labels. Any other model is tested as
    by mmengine's loop.

    Args:
        runner: The runner.
        dataloader: Config of the data loader, or a loader.
        evaluator: Config of the metrics, or an evaluator.
        fp16: Whether to run the network in half precision.
        num_workers: Processes for the refiner on each rank; 0 refines in this process. By default
            there are as many as the machine has free cores, see
            :func:`~mmwsss.engine.cores.free_cores`.

    Raises:
        RuntimeError: If a process dies.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        *,
        fp16: bool = False,
        num_workers: int | None = None,
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        self._pool = RefinePool(free_cores() if num_workers is None else num_workers)
        self._waiting: deque[_Batch] = deque()

    def run(self) -> dict:
        """Test all batches; the processes are started by the first job."""
        with self._pool:
            return super().run()

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Predict a batch, and finish the batches whose labels are ready."""
        model = self.runner.model
        if is_model_wrapper(model):  # for several ranks
            model = model.module
        if not isinstance(model, LogitAverageTTA):
            super().run_iter(idx, data_batch)
            return
        self.runner.call_hook('before_test_iter', batch_idx=idx, data_batch=data_batch)
        with autocast(enabled=self.fp16):
            samples, jobs = model.start_step(data_batch)
        if jobs:
            # The logits of all waiting batches may exceed the memory of a GPU: 100 MB per image of
            # COCO.
            samples = [sample.cpu() for sample in samples]
        futures = [self._pool.submit(job) for job in jobs]
        self._waiting.append(_Batch(idx, data_batch, samples, futures))
        is_last = idx + 1 == len(self.dataloader)
        self._finish(most=0 if is_last else 2 * self._pool.num_workers)

    def _finish(self, *, most: int) -> None:
        """Finish batches in order until one is not done and at most `most` wait.

        A metric may rely on the order: with several ranks it drops the samples that fill up the
        last one.
        """
        while self._waiting and (len(self._waiting) > most or self._waiting[0].is_done):
            batch = self._waiting.popleft()
            finish_step(batch.samples, [label.result() for label in batch.labels])
            self.evaluator.process(data_samples=batch.samples, data_batch=batch.data)
            self.runner.call_hook(
                'after_test_iter',
                batch_idx=batch.batch_idx,
                data_batch=batch.data,
                outputs=batch.samples,
            )
