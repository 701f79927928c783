"""Test loop that writes pseudo labels for a whole split."""

import logging
import os
import time
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import BaseDataset
from mmengine.dist import barrier
from mmengine.runner import BaseLoop, Runner, autocast
from mmseg.structures import SegDataSample

from mmwsss.datasets.image_files import read_image
from mmwsss.engine.config.build_errors import building
from mmwsss.engine.cores import free_cores
from mmwsss.engine.folder_lock import hold_folder
from mmwsss.engine.labels.checks import (
    check_checkpoint,
    check_files,
    check_label_names,
    check_no_mask,
    check_supervision,
    score_strides,
)
from mmwsss.engine.labels.disk_space import forecast_scores
from mmwsss.engine.labels.manifest import LabelManifest
from mmwsss.engine.labels.pool import RefinePool
from mmwsss.engine.labels.proportions import LabelProportions
from mmwsss.engine.labels.schedule import Schedule
from mmwsss.engine.labels.stamps import label_stamps
from mmwsss.engine.labels.store import LabelStore
from mmwsss.engine.labels.waits import Stopwatch, Waits
from mmwsss.engine.progress import Progress
from mmwsss.engine.ranks import map_over_ranks, on_first_rank, share_of_rank, sum_over_ranks
from mmwsss.engine.state.contents import Contents
from mmwsss.evaluation.label_folder import evaluate_label_folder, masks_of_entries
from mmwsss.registry import DATASETS, LOOPS, TASK_UTILS
from mmwsss.structures import (
    Checked,
    GivesOutputs,
    StagePlan,
)
from mmwsss.structures.notices import notice

_CONTENTS = 'contents.json'


@LOOPS.register_module()
class PseudoLabelLoop(BaseLoop, GivesOutputs, Checked):
    """Predict CAMs, refine them and write one palette PNG per image and label name.

    Files are ``<out_dir>/<label name>/<img_id>.png``, and ``<out_dir>/manifest.json`` says what
    made them. Scores to keep are ``<out_dir>/<label name>_scores/<img_id>.npz``, in the format of
    :mod:`mmwsss.structures.score_files`. A file is skipped if it is complete and was made with the
    same settings from the same image and its tags or boxes. A killed run thus continues where it
    stopped and ends with the same files. Label maps without the loop's mark, for example after
    manual corrections, are kept. CPU-bound refiners and writing run in a process pool while the
    network continues; several ranks share the images. Hooks are called before and after the whole
    run instead of for every image, because the loop shows its own progress.

    Args:
        runner: The runner.
        dataloader: Config of the data loader (batch size 1) for the images to label.
        generator: Config of the :class:`PseudoLabelGenerator`.
        out_dir: Folder to write to; ``<work_dir>/labels`` by default.
        keep_scores: Names of labels whose scores are also written, for a later stage. A dict
            ``{name: stride}`` keeps means of cells of ``stride x stride`` pixels, which are
            enlarged when they are read.
        proportions: Names of labels for which the share of each class in every image is finally
            written to ``<out_dir>/<label name>_proportions.npz``.
        num_workers: Processes per rank for CPU-bound refiners and writing; 0 does both in this
            process. By default as many as the machine has free cores, see
            :func:`~mmwsss.engine.cores.free_cores`.
        overwrite: Replace label maps without this tool's mark, for example after manual
            corrections; by default they are kept and counted.
        fp16: Compute all networks, including those of refiners, in half precision, like the same
            option of mmengine's loops: float16 on a GPU, bfloat16 on a CPU.
        chosen: How settings of the generator were chosen, for the manifest; changes no label.
        evaluator: Unused; part of mmengine's interface. Labels are evaluated from their folder.

    Raises:
        UserInputError: If ``keep_scores`` or ``proportions`` names a label that is not made, a
            stride is not between 1 and 64, no trained classifier is given, or the data set lacks
            what the generator needs.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: dict,
        generator: dict,
        *,
        out_dir: str | None = None,
        keep_scores: Sequence[str] | Mapping[str, int] = (),
        proportions: tuple[str, ...] = (),
        num_workers: int | None = None,
        overwrite: bool = False,
        fp16: bool = False,
        chosen: Mapping[str, Any] | None = None,
        evaluator: object = None,
    ) -> None:
        dataset = DATASETS.build(dataloader['dataset'])
        check_checkpoint(runner)
        self.metainfo = dataset.metainfo
        self.split = dataset.ann_file
        self.generator = TASK_UTILS.build(generator)
        self.out_dir = Path(out_dir or os.path.join(runner.work_dir, 'labels')).absolute()
        self.fp16 = fp16
        self.num_workers = free_cores() if num_workers is None else num_workers
        check_label_names('keep_scores', keep_scores, self.generator.names)
        check_label_names('proportions', proportions, self.generator.names)
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
        self.ids = [info['img_id'] for info in infos]
        self._check_generator(dataset)
        contents = Contents(Path(runner.cfg.get('contents_file') or self.out_dir / _CONTENTS))
        stamp, image_stamps = label_stamps(runner.cfg, infos, contents)
        self.store = LabelStore(
            self.out_dir,
            self.generator.names,
            score_strides(keep_scores),
            dataset.metainfo['palette'],
            stamp,
            dict(zip(self.ids, image_stamps, strict=True)),
            overwrite,
        )
        self.proportions = LabelProportions(
            self.out_dir,
            {name: self.store.label_folders[name] for name in proportions},
            dataset.metainfo['classes'][1:],
            self.ids,
        )
        self._manifest = LabelManifest(
            self.out_dir,
            dict(
                fingerprint=stamp,
                labels=list(self.generator.names),
                scores=list(keep_scores),
                split=self.split,
                count=len(self.ids),
                **({'chosen': chosen} if chosen else {}),
                **_checkpoint_of(runner, contents),
            ),
        )
        self.masks = masks_of_entries(infos)
        self.todo, self._by_hand = self._look()
        if 0 < len(self.todo) < len(self.ids):
            dataset.get_subset_(self.todo)
        super().__init__(runner, {**dataloader, 'dataset': dataset})

    def _check_generator(self, dataset: BaseDataset) -> None:
        check_files(self.generator.files)
        check_supervision(dataset, self.generator.requires)
        self.generator.check_images(self.ids)

    @classmethod
    def check(cls, options: Mapping[str, Any], key: str, stage: StagePlan) -> None:
        """Build the generator, so that a wrong option or a missing file shows now."""
        if 'generator' not in options:  # refused with the other arguments of the loop
            return
        with building(stage.name, {f'{key}.generator': options['generator']}):
            generator = TASK_UTILS.build(options['generator'])
        for option in ('keep_scores', 'proportions'):
            check_label_names(option, options.get(option, ()), generator.names)
        score_strides(options.get('keep_scores', ()))
        if not any(key.startswith('test_cfg.generator') for key in stage.taken):
            check_files(generator.files)

    @classmethod
    def output_names(cls, options: Mapping[str, Any]) -> set[str]:
        """Name the folders of labels, scores and proportions."""
        scores = {f'{name}_scores' for name in options.get('keep_scores', ())}
        proportions = {f'{name}_proportions' for name in options.get('proportions', ())}
        return {*options.get('generator', {}).get('labels', {}), *scores, *proportions}

    @property
    def outputs(self) -> dict[str, str]:
        """Absolute paths by label name, ``<label name>_scores`` and ``..._proportions``."""
        files = {f'{n}_proportions': str(path) for n, path in self.proportions.files.items()}
        return {**self.store.label_folders, **self.store.score_folders, **files}

    @property
    def is_complete(self) -> bool:
        """Whether all files are there and unchanged, so that a run would do nothing."""
        there = all(Path(path).exists() for path in self.outputs.values())
        made = there and not self.todo and not self._by_hand
        return made and self._manifest.says_complete() and self.proportions.are_current()

    def _look(self) -> tuple[list[int], dict[str, tuple[str, ...]]]:
        """Look at the files of every image, shared among all ranks.

        Returns:
            Indices of the images with files to make, and the names of manually corrected labels by
            image id.
        """
        looks = map_over_ranks(self.store.look, self.ids)
        todo = [i for i, (to_make, _) in enumerate(looks) if to_make]
        by_hand = {i: names for i, (_, names) in zip(self.ids, looks, strict=True) if names}
        return todo, by_hand

    def run(self) -> dict:
        """Write all missing labels."""
        held = hold_folder(self.out_dir, subfolders=self.store.subfolders)
        with held, autocast(enabled=self.fp16):
            return self._run()

    def _run(self) -> dict:
        self.runner.call_hook('before_test')
        self.runner.call_hook('before_test_epoch')
        self.runner.model.eval()
        skipped = len(self.ids) - len(self.todo)
        if skipped:
            notice(f'images already labelled: {skipped} of {len(self.ids)}')
        if self._by_hand:
            count = sum(len(names) for names in self._by_hand.values())
            self.runner.logger.warning(
                "kept label maps without this tool's mark, for example after manual corrections: "
                f'{count} (images: {len(self._by_hand)}). --overwrite makes them again.'
            )
        if self.todo:
            self._check_space()
            self.proportions.remove()
            self._manifest.write(complete=False)
            self._run_unfinished()
        barrier()
        self.proportions.write(self.runner.logger)
        self._manifest.write(complete=True)
        metrics = self._evaluate()
        self.runner.call_hook('after_test_epoch', metrics=metrics)
        self.runner.call_hook('after_test')
        return metrics

    def _check_space(self) -> None:
        """Report how much space the scores will take; refuse if there is not enough."""
        dataset, strides = self.dataloader.dataset, self.store.scores_of
        forecast = on_first_rank(lambda: forecast_scores(dataset, strides, self.out_dir))
        if forecast is not None:
            forecast.check()
            level = logging.WARNING if forecast.is_tight else logging.INFO
            self.runner.logger.log(level, f'{forecast}')

    def _run_unfinished(self) -> None:
        total = len(self.dataloader)
        with (
            RefinePool(self.num_workers) as pool,
            Progress('pseudo labels', total, self.runner.logger) as progress,
        ):
            schedule, images, start = Schedule(pool), Stopwatch(), time.perf_counter()
            for done, data_batch in enumerate(images.iterate(self.dataloader), start=1):
                self._ask_for_fields(data_batch['data_samples'])
                with torch.no_grad():
                    samples = self.runner.model.test_step(data_batch)
                for sample in samples:
                    check_no_mask(sample)
                    schedule.start(self._steps(sample))
                schedule.wait(most=2 * max(self.num_workers, 1))
                progress.update(done)
            schedule.wait(most=0)
            self.waits = Waits(
                total=time.perf_counter() - start,
                for_images=images.seconds,
                for_jobs=schedule.waited_seconds if self.num_workers else pool.busy_seconds,
                busy=pool.busy_seconds,
                workers=self.num_workers,
            )
        if line := self.waits.line():
            notice(line)
        for what, count in self.generator.counts.items():
            if count:
                self.runner.logger.warning(f'{what} (images of this process: {count})')

    def _ask_for_fields(self, data_samples: list) -> None:
        """Tell the model what the generator needs besides the CAMs; views are lists of samples."""
        for entry in data_samples:
            for sample in entry if isinstance(entry, list | tuple) else [entry]:
                sample.set_metainfo({'required_fields': self.generator.requires})

    def _steps(self, sample: SegDataSample) -> Generator:
        """Yield the jobs of an image, which refine its scores and then write its files."""
        maps = yield from self.generator.steps(sample, read_image(sample.img_path))
        # Compressing scores takes almost as long as a CRF, so it belongs in the pool as well.
        kept = self._by_hand.get(sample.img_id, ())
        yield self.store.writing(sample.img_id, maps, kept)

    def _evaluate(self) -> dict[str, float]:
        """Compare the labels with true masks, if the data set lists them."""
        metrics: dict[str, float] = {}
        folders = self.store.label_folders if self.masks else {}
        if 0 < len(self.masks) < len(self.ids):
            notice(
                f'labels are measured on the images with a true mask: {len(self.masks)} of '
                f'{len(self.ids)}'
            )
        for name, folder in folders.items():
            count = len(share_of_rank(list(self.masks)))
            with Progress(f'evaluation {name}', count, self.runner.logger) as progress:
                quality = evaluate_label_folder(
                    folder,
                    self.masks,
                    classes=self.metainfo['classes'],
                    split=self.split,
                    sum_over=partial(sum_over_ranks, watch=progress.iterate),
                )
            self.runner.logger.info(f'labels {name!r} against true masks:\n{quality}')
            metrics.update({f'{name}/{key}': v for key, v in quality.metrics.items()})
        return metrics


def _checkpoint_of(runner: Runner, contents: Contents) -> dict[str, str | None]:
    """Path and content of the model's checkpoint, for the manifest."""
    load_from = str(runner.cfg.get('load_from') or '')
    is_file = on_first_rank(lambda: os.path.isfile(load_from))
    found = contents.of_path(load_from) if is_file else None
    return dict(checkpoint=load_from or None, checkpoint_hash=found)
