"""What the command-line tools share: arguments, and one line for a user's mistake."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from mmengine.config import Config, DictAction

from mmwsss.structures import UserInputError


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that all tools with a runner have."""
    parser.add_argument('config', help='config of a pipeline or of a single stage')
    parser.add_argument('--work-dir', help='folder of logs and results')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='overrides key=value; in a pipeline <stage>.key=value',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    # torch.distributed.launch passes one spelling or the other, depending on the version.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def parse_arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the arguments and make the rank known to mmengine."""
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load_config(path: str) -> Config:
    """Read a config.

    Raises:
        UserInputError: If the file does not exist.
    """
    if not Path(path).is_file():
        raise UserInputError(f'config {path} does not exist; the configs are in configs/.')
    return Config.fromfile(path)


def work_dir_of(args: argparse.Namespace) -> Path:
    """Give the work folder: the option, else ``work_dirs/<config name>``."""
    return Path(args.work_dir or os.path.join('work_dirs', Path(args.config).stem))


def print_metrics(metrics: dict[str, float]) -> None:
    """Print one metric a line."""
    for name, value in metrics.items():
        print(f'{name}: {value:.2f}')


def run_tool(main: Callable[[], None]) -> None:
    """Run a tool; a user's mistake ends in one line and exit code 2, without a traceback."""
    try:
        main()
    except UserInputError as error:
        # A data loader's worker wraps the message in its own traceback; the last line is ours.
        line = str(error).strip().splitlines()[-1].removeprefix(f'{_qualified_name()}: ')
        sys.exit(_exit_with(f'error: {line}'))


def _qualified_name() -> str:
    return f'{UserInputError.__module__}.{UserInputError.__qualname__}'


def _exit_with(line: str) -> int:
    print(line, file=sys.stderr)
    return 2
