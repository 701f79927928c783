"""What command-line tools share: arguments, and one-line errors for a user's mistake."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.dist import get_rank, is_main_process
from torch.distributed import DistError

from mmwsss.engine.config.data import finish_config, read_data
from mmwsss.engine.config.files import read_config
from mmwsss.engine.console import calm_console, say, show_everything
from mmwsss.structures import UserInputError, check_folder

# Messages of gloo and NCCL when the process at the other end of a connection has ended.
_LOST = ('closed by peer', 'reset by peer', 'Broken pipe', 'remote process exited')


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that all tools with a runner have."""
    parser.add_argument('config', help='config of a pipeline or of a single stage')
    parser.add_argument('--work-dir', help='folder for logs and results')
    parser.add_argument('--data', help='config that describes your own data, data = dict(...)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=Overrides,
        default={},
        help='overrides, key=value; <stage>.key=value in a pipeline; data.key=value for your own '
        'data',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    # torch.distributed.launch passes either spelling, depending on its version.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def add_amp_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--amp``, see :func:`use_amp`."""
    parser.add_argument(
        '--amp',
        action='store_true',
        help='run networks in half precision: float16 on a GPU, bfloat16 on a CPU',
    )


def use_amp(config: Config, task: str) -> None:
    """Make the networks of a stage compute in half precision.

    Args:
        config: Config of the stage, changed in place.
        task: ``'train'`` or ``'test'`` (the latter also makes pseudo labels).
    """
    # Missing settings are refused together with all parts of the stage.
    if task == 'train' and config.get('optim_wrapper'):
        config.optim_wrapper.type = 'AmpOptimWrapper'
    if task == 'test' and config.get('test_cfg'):
        config.test_cfg.fp16 = True


def parse_arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Add ``--verbose``, parse the arguments and tell mmengine the rank."""
    parser.add_argument('--verbose', action='store_true', help='print all that is logged')
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(getattr(args, 'local_rank', 0)))
    if args.verbose:
        show_everything()
    return args


class Overrides(DictAction):
    """``key=value`` pairs; anything else is a command-line error."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: list[str],
        option_string: str | None = None,
    ) -> None:
        """Read the pairs."""
        for pair in values:
            key, equals, _ = pair.partition('=')
            if not equals or not all(key.split('.')):
                parser.error(f'{option_string} {pair}: expected key=value, such as model.flip=True')
        try:
            super().__call__(parser, namespace, values, option_string)
        except (AssertionError, ValueError) as error:
            parser.error(f'{option_string} {" ".join(values)}: {error}')


def load_stage_config(args: argparse.Namespace) -> tuple[Config, dict[str, str]]:
    """Read the config of a single stage, with own data and overrides.

    Returns:
        The config, and what own data cannot measure, see
        :func:`~mmwsss.engine.config.data.use_data`.

    Raises:
        UserInputError: If a file does not exist or is not a config, or the data or an override do
            not fit.
    """
    config = read_config(args.config)
    if args.data:
        config.data = read_data(args.data)
    return config, finish_config(config, args.cfg_options)


def check_measured(unmeasured: dict[str, str]) -> None:
    """Refuse a test without data to measure on.

    Raises:
        UserInputError: If there are none; it names what the data lack.
    """
    if 'test' in unmeasured:
        raise UserInputError(
            f'there is nothing to test on: the data have no {unmeasured["test"]}. Add it to the '
            'description of the data.'
        )


def work_dir_of(args: argparse.Namespace) -> Path:
    """Return the work folder: the option, or else ``work_dirs/<config name>[_<data name>]``.

    Raises:
        UserInputError: If it cannot be created or written to.
    """
    names = [Path(path).stem for path in (args.config, args.data) if path]
    folder = Path(args.work_dir or os.path.join('work_dirs', '_'.join(names)))
    check_folder('--work-dir', folder)
    say(f'logs and results in {folder}')
    return folder


def print_metrics(metrics: dict[str, float]) -> None:
    """Print one metric per line."""
    for name, value in metrics.items():
        say(f'{name}: {value:.2f}')


def run_tool(main: Callable[[], None], *, go_on: str = 'run the same command again') -> None:
    """Run a tool; a user's mistake or Ctrl-C ends in one line, without a traceback.

    The console shows little of what is logged, see :mod:`mmwsss.engine.console`.

    The exit code is 2 after a mistake and 130 after Ctrl-C.

    Args:
        main: The tool.
        go_on: What to do after Ctrl-C.
    """
    try:
        with calm_console():
            main()
    except UserInputError as error:
        sys.exit(_exit_with(_message(str(error))))
    except OSError as error:
        if error.errno not in _USERS_ERRORS:
            raise
        where = f'{error.filename}: ' if error.filename else ''
        sys.exit(_exit_with(f'{where}{error.strerror}. {_USERS_ERRORS[error.errno]}'.strip()))
    except RuntimeError as error:
        if not _says_rank_is_lost(error):
            raise
        line = f'error: rank {get_rank()} stops because another rank ended.'
        print(line, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends immediately
        if is_main_process():
            print(f'interrupted: {go_on} to continue.', file=sys.stderr)
        sys.exit(130)


# Errors of the operating system, and the remedy unless it is obvious.
_USERS_ERRORS = {
    errno.EACCES: 'Change its permissions, or name another file or folder.',
    errno.EPERM: 'Change its permissions, or name another file or folder.',
    errno.EROFS: 'Name a folder elsewhere.',
    errno.ENOSPC: 'Free some space, then run the same command again.',
    errno.EDQUOT: 'Free some space, then run the same command again.',
    errno.EFBIG: 'Raise the limit on the size of files, then run the same command again.',
    errno.EISDIR: 'Name a file.',
    errno.ENOTDIR: 'Name a folder.',
    errno.EEXIST: 'Name another folder.',
    errno.ENOENT: '',
    errno.ENAMETOOLONG: 'Name a shorter one.',
    errno.ELOOP: 'Name what the links should lead to.',
}


def _message(text: str) -> str:
    """Return a message as one line; a data loader's worker wraps it in a traceback."""
    if text.startswith('Caught '):
        text = text.rpartition(f'{UserInputError.__module__}.{UserInputError.__qualname__}: ')[2]
    return ' '.join(text.split())


def _says_rank_is_lost(error: RuntimeError) -> bool:
    text = str(error)
    is_of_connection = 'gloo' in text or isinstance(error, DistError)
    return is_of_connection and any(words in text for words in _LOST)


def _exit_with(line: str) -> int:
    print(f'error: {line}', file=sys.stderr)
    return 2
