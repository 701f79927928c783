"""Kill a run, let the same command continue, and compare what it leaves with an undisturbed run."""

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faults.contents import contents, differences, last_iteration
from faults.warm import Run, WarmProcess

KINDS = ('wrong', 'losses', 'orphans', 'tracebacks')
_STARTS = re.compile(r'^stage \d+ of \d+: (\w+)$')
_ITERATION = re.compile(r'Iter\(train\) +\[ *(\d+)/')


@dataclass
class Campaign:
    """Trials of one kind, and what went wrong in them."""

    what: str
    trials: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)

    def fail(self, kind: str, where: str, lines: Sequence[str] | str) -> None:
        """Record a failure of one of the ``KINDS``, if any lines describe it."""
        if lines:
            text = lines if isinstance(lines, str) else '\n    '.join(lines)
            self.failures.append((kind, f'{kind} {where}: {text}'))
            print(self.failures[-1][1], flush=True)  # to watch a campaign: pytest -s

    @property
    def counts(self) -> str:
        """One line with the number of trials and of failures of each kind."""
        of_kind = [f'{sum(k == kind for k, _ in self.failures)} {kind}' for kind in KINDS]
        return f'{self.trials} {self.what}: {", ".join(of_kind)}'

    def check(self) -> None:
        """Fail with everything that went wrong."""
        assert not self.failures, '\n'.join([self.counts, *(text for _, text in self.failures)])


def total(what: str, campaigns: list[Campaign]) -> Campaign:
    """Add up the campaigns of one kind."""
    same = [campaign for campaign in campaigns if campaign.what == what]
    failures = [failure for campaign in same for failure in campaign.failures]
    return Campaign(what, sum(campaign.trials for campaign in same), failures)


@dataclass
class Command:
    """A tool that works in one folder, and what an undisturbed run leaves there.

    Attributes:
        warm: The process that forks it.
        arguments: Returns the command line for a folder.
        data: The variable ``MMWSSS_DATA``.
        scratch: For logs and the folders of trials.
        stamps: Whether labels must be equal byte for byte, see :mod:`faults.contents`.
        changes: Changes of files in the undisturbed run, see :mod:`faults.injections`.
        wanted: Its result, see :mod:`faults.contents`.
    """

    warm: WarmProcess
    arguments: Callable[[Path], list]
    data: Path
    scratch: Path
    stamps: bool = False
    changes: list[str] = field(default_factory=list)
    wanted: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Run once without a disturbance."""
        self.scratch.mkdir()
        folder = self.scratch / 'reference'
        run = self.run(folder, change=-1)
        assert run.code == 0, run.output[-3000:]
        self.changes = self.trace(folder)
        self.wanted = self.contents(folder)

    def start(
        self,
        folder: Path,
        *more: object,
        change: int | None = None,
        environment: dict[str, object] | None = None,
        **options: str,
    ) -> Run:
        """Start it; at change number `change` the options take effect (SIGKILL by default).

        Args:
            folder: Where it works.
            *more: More arguments.
            change: Number of a change in this run, see :mod:`faults.injections`.
            environment: More variables.
            **options: More options of :func:`faults.injections.die_at`.
        """
        self._trace_file(folder).unlink(missing_ok=True)
        options = dict(folder=str(folder), trace=str(self._trace_file(folder)), **options)
        return self.warm.start(
            [*self.arguments(folder), *more],
            environment={'MMWSSS_DATA': self.data, **(environment or {})},
            logs=self.scratch,
            before=None if change is None else 'faults.injections:die_at',
            options=dict(options, change=change),
        )

    def run(self, folder: Path, *more: object, **options: object) -> Run:
        """Start it and wait for its end; takes the arguments of :meth:`start`."""
        run = self.start(folder, *more, **options)
        run.wait()
        return run

    def trace(self, folder: Path) -> list[str]:
        """List the changes made by the last run in a folder; the last one may be incomplete."""
        path = self._trace_file(folder)
        return path.read_text().splitlines() if path.exists() else []

    def contents(self, folder: Path) -> dict[str, str]:
        """Return the content of a folder, see :mod:`faults.contents`."""
        return contents(folder, stamps=self.stamps)

    def _trace_file(self, folder: Path) -> Path:
        return self.scratch / f'{folder.name}.changes'

    def resumed(self, campaign: Campaign, folder: Path, where: str, *more: object) -> Run:
        """Run again to the end: it must leave what the undisturbed run leaves, and succeed."""
        run = self.run(folder, *more)
        campaign.fail('tracebacks', where, traceback(run.output))
        campaign.fail('orphans', where, run.orphans())
        if run.code != 0:
            campaign.fail('wrong', where, f'exit code {run.code}: {run.output[-500:]}')
        campaign.fail('wrong', where, differences(self.contents(folder), self.wanted))
        return run


def kill_and_go_on(
    campaign: Campaign, command: Command, change: int, action: str, *again: object
) -> None:
    """One trial: a run that dies at a change, checks of what it left, and a run to the end.

    Args:
        campaign: Where failures are recorded.
        command: What is run.
        change: Number of the change of a file at which it dies.
        action: Name of the signal.
        *again: More arguments of the second run.
    """
    campaign.trials += 1
    folder = command.scratch / 'work'
    where = f'{action} at {change}, {command.changes[change]!r}'
    run = command.run(folder, change=change, action=action)
    campaign.fail('orphans', where, run.orphans())
    if run.code == 0:
        campaign.fail('wrong', where, 'exit code 0 although it was killed')
    campaign.fail('tracebacks', where, traceback(run.output))
    left = command.contents(folder)
    campaign.fail('wrong', where, finished_wrongly(left, command.wanted))
    done = completed_iterations(command.trace(folder)[:change])
    campaign.fail('losses', where, lost_checkpoints(folder, done))
    kept = modification_times(folder, left, command.wanted)
    run = command.resumed(campaign, folder, where, *again)
    campaign.fail('losses', where, made_again(folder, kept))
    if '--resume' in again:
        campaign.fail('losses', where, trained_again(run.stdout, done))
    shutil.rmtree(folder)


def traceback(output: str) -> str:
    """Return the end of an output if it contains a traceback."""
    return output[-1500:] if 'Traceback (most recent call last)' in output else ''


def finished_wrongly(left: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Name files of stages that are said to be finished but differ from the undisturbed run."""
    stages = [name.removesuffix('stage.json') for name in left if name.endswith('stage.json')]
    return [
        line
        for stage in stages
        for line in differences(
            {name: left.get(name, 'missing') for name in wanted if name.startswith(stage)},
            {name: text for name, text in wanted.items() if name.startswith(stage)},
        )
    ]


def completed_iterations(changes: list[str]) -> dict[str, int]:
    """Return the last iteration, by stage, whose checkpoint was complete after these changes."""
    done: dict[str, int] = {}
    for change in changes:
        what, _, path = change.partition(' ')
        found = re.fullmatch(r'(.*?)/?iter_(\d+)\.pth', path)
        if found and what in ('write', 'replace', 'rename'):
            done[found[1]] = int(found[2])
    return done


def lost_checkpoints(folder: Path, done: dict[str, int]) -> list[str]:
    """Name the stages that lack a readable checkpoint of what they had completed."""
    found = {stage: last_iteration(folder / stage) for stage in done}
    return [
        f'{stage}: iteration {found[stage]} is left of {last}'
        for stage, last in done.items()
        if found[stage] < last
    ]


def trained_again(output: str, done: dict[str, int]) -> list[str]:
    """Name the stages that repeated an iteration although its checkpoint was complete."""
    lines, stage = [], ''
    for line in output.splitlines():
        if found := _STARTS.search(line):
            stage = found[1]
        if (found := _ITERATION.search(line)) and int(found[1]) <= done.get(stage, 0):
            lines.append(f'{stage}: iteration {found[1]} ran again of {done[stage]}')
    return lines


def modification_times(
    folder: Path, left: dict[str, str], wanted: dict[str, str]
) -> dict[str, int]:
    """Return the modification times of the files of images that were complete."""
    of_image: dict[tuple[str, str], list[str]] = {}
    for name in wanted:
        path = Path(name)
        if 'labels' in path.parts[:-1] and path.parent.name != 'labels':
            of_image.setdefault((str(path.parent.parent), path.stem), []).append(name)
    done = [names for names in of_image.values() if all(left.get(n) == wanted[n] for n in names)]
    return {name: (folder / name).stat().st_mtime_ns for names in done for name in names}


def made_again(folder: Path, kept: dict[str, int]) -> list[str]:
    """Name the files that were written again although they were complete."""
    return [name for name, time in kept.items() if (folder / name).stat().st_mtime_ns != time]
