"""One table at the end of a pipeline, for people and as JSON."""

from pathlib import Path

from rich.table import Table

from mmwsss.engine.console import new_screen
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
    table = Table(title=title)
    for column in ('stage', 'result', 'mIoU', 'time'):
        table.add_column(column, justify='right' if column in ('mIoU', 'time') else 'left')
    for name, result in results.items():
        time = minutes(result.seconds)
        rows = _miou_rows(result.metrics) or [('', '')]
        for i, (label, miou) in enumerate(rows):
            table.add_row(*((name if i == 0 else ''), label, miou, (time if i == 0 else '')))
    table.add_section()
    total = sum(result.seconds for result in results.values())
    table.add_row('total', '', '', minutes(total))
    new_screen().print(table)
    print(f'written to {path}')


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
