import time
from functools import partial

import pytest

from mmwsss.engine.labels.pool import RefinePool
from mmwsss.engine.labels.schedule import Schedule
from mmwsss.engine.labels.waits import Stopwatch, Waits


@pytest.mark.parametrize(
    ('waits', 'line'),
    [
        (
            Waits(total=100, for_images=1, for_jobs=82, busy=194, workers=2),
            'the network waited 82% of the time for refinement and writing, whose workers were '
            'busy 97% of the time. More `num_workers` (now 2) or cores would help',
        ),
        (
            Waits(total=100, for_images=1, for_jobs=47, busy=64, workers=2),
            'the network waited 47% of the time for refinement and writing, whose workers were '
            'busy 32% of the time',
        ),
        (
            Waits(total=100, for_images=3, for_jobs=5, busy=160, workers=4),
            'the network and the main process worked 92% of the time; `num_workers` (now 4) idled '
            '60% of the time',
        ),
        (
            Waits(total=100, for_images=40, for_jobs=5, busy=20, workers=1),
            'the network waited 40% of the time for images. More `test_dataloader.num_workers` or '
            'a faster disk would help; `num_workers` (now 1) idled 80% of the time',
        ),
        (
            Waits(total=100, for_images=0, for_jobs=70, busy=70, workers=0),
            '70% of the time went into refinement and writing, which worker processes '
            '(`num_workers`, now 0) could do while the network runs',
        ),
        (
            Waits(total=100, for_images=5, for_jobs=5, busy=5, workers=0),
            'the network and the main process worked 90% of the time',
        ),
    ],
)
def test_the_line_names_what_held_the_stage_up(waits, line):
    assert waits.line() == f'Label making: {line}'


def test_a_stage_of_seconds_has_no_line():
    assert Waits(total=19, for_images=0, for_jobs=18, busy=18, workers=1).line() is None


def test_only_the_time_before_an_item_counts_as_waiting_for_it():
    def items():
        for number in range(2):
            time.sleep(0.05)
            yield number

    images = Stopwatch()
    for _ in images.iterate(items()):
        time.sleep(0.3)
    assert 0.1 <= images.seconds < 0.3


def image(job):
    yield job


def test_waiting_for_jobs_and_their_time_are_measured():
    with RefinePool(1) as pool:
        schedule = Schedule(pool)
        for _ in range(3):
            schedule.start(image(partial(time.sleep, 0.1)))
        assert schedule.waited_seconds == 0
        schedule.wait(most=0)
        assert schedule.waited_seconds > 0.25  # it started before
        assert pool.busy_seconds >= 0.3


def test_without_workers_jobs_take_time_but_nothing_is_waited_for():
    with RefinePool(0) as pool:
        schedule = Schedule(pool)
        schedule.start(image(partial(time.sleep, 0.1)))
        before = schedule.waited_seconds
        schedule.wait(most=0)
        assert pool.busy_seconds >= 0.1
        assert schedule.waited_seconds - before < 0.1
