"""Start several ranks of a tool on this machine, with the options of torchrun.

python tools/launch_ranks.py --nproc_per_node 4 tools/train.py CONFIG --launcher pytorch

When a rank ends with an error, the others are stopped, and one line says which rank failed and how.
"""

import signal
import sys

from torch.distributed import run
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

MISTAKE = 2  # exit code of the tools for a user's mistake


def main() -> None:
    try:
        run.run(run.parse_args(None))
    except ChildFailedError as error:
        rank, failure = min(error.failures.items(), key=lambda item: _order(item[1]))
        print(f'error: rank {rank} {_end_of(failure)}', file=sys.stderr)
        sys.exit(max(failure.exitcode, 1))
    except SignalException as error:
        sys.exit(128 + error.sigval)


def _order(failure: ProcessFailure) -> tuple:
    """Sort the cause before ranks that lost their connection and ranks that were stopped."""
    code = failure.exitcode
    return code == -signal.SIGTERM, code >= 0, code != MISTAKE, failure.timestamp


def _end_of(failure: ProcessFailure) -> str:
    if failure.exitcode >= 0:
        return f'ended with exit code {failure.exitcode}; its own message is above. All ranks stop.'
    name = signal.Signals(-failure.exitcode).name
    why = ', often because memory ran out' if name == 'SIGKILL' else ''
    return (
        f'(process {failure.pid}) was ended by {name}{why}; all ranks stop. Run the same command '
        'to continue; for training, add --resume.'
    )


if __name__ == '__main__':
    main()
