"""One table at the end of a pipeline, for people and as JSON."""

from pathlib import Path

from rich.table import Table

from mmwsss.engine.console import say
from mmwsss.engine.screen import Screen
from mmwsss.engine.state.stage_state import StageResult
from mmwsss.structures import write_json

_DECIMALS = 4


def write_report(results: dict[str, StageResult], path: Path, *, title: str) -> None:
    """Print a table of all stages and write it as JSON, with rounded figures.

    Args:
        results: Results of the finished stages in order.
        path: The JSON file.
        title: Heading of the table.
    """
    write_json(path, {name: _rounded(result.to_dict()) for name, result in results.items()})
    found = {name: _miou_rows(result.metrics) for name, result in results.items()}
    measured = any(found.values())  # own data may have no masks
    table = Table('stage', *(('result',) if measured else ()), title=title)
    for column in ('mIoU', 'time') if measured else ('time',):
        table.add_column(column, justify='right')
    for name, result in results.items():
        for i, row in enumerate(found[name] or [('', '') if measured else ()]):
            stage, time = (name, minutes(result.seconds)) if i == 0 else ('', '')
            table.add_row(stage, *row, time)
    table.add_section()
    total = sum(result.seconds for result in results.values())
    table.add_row('total', *(('', '') if measured else ()), minutes(total))
    Screen().print(table)
    say(f'written to {path}')


def minutes(seconds: float) -> str:
    """Write a time as minutes and seconds."""
    whole, rest = divmod(round(seconds), 60)
    return f'{whole}:{rest:02}'


def _rounded(result: dict) -> dict:
    metrics = result['metrics'].items()
    return {**result, 'metrics': {k: v and round(v, _DECIMALS) for k, v in metrics}}


def _miou_rows(metrics: dict[str, float]) -> list[tuple[str, str]]:
    """Pick the mIoU of seeds, labels or predictions out of a stage's metrics."""
    rows = []
    for key, value in metrics.items():
        prefix, _, metric = key.rpartition('/')
        if metric == 'mIoU':
            rows.append((prefix or 'prediction', f'{value:.2f}'))
    return rows
