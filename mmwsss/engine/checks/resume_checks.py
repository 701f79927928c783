"""Checks that a training can be resumed from a checkpoint."""

import copy
from typing import Any

from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor
from torch.optim import Optimizer

from mmwsss.structures import UserInputError

_COUNTERS = ('epoch', 'iter')
_LOG = ('log_scalars', 'runtime_info', 'resumed_keys')
# Values with the shape of their parameter; other optimizers keep sums of rows, for example.
_SHAPED = ('exp_avg', 'exp_avg_sq', 'max_exp_avg_sq', 'momentum_buffer')


def check_resumable(checkpoint: dict, filename: str, runner: Runner) -> None:
    """Refuse a checkpoint whose training state is missing, damaged or from another training.

    Args:
        checkpoint: Contents of the file.
        filename: Its name, for the message.
        runner: The runner of the training, with its optimizer and schedules built.

    Raises:
        UserInputError: Naming what is wrong.
    """
    problem = (
        _counters_problem(checkpoint.get('meta'))
        or _log_problem(checkpoint.get('message_hub'))
        or _optimizer_problem(checkpoint.get('optimizer'), runner.optim_wrapper)
        or _schedules_problem(checkpoint.get('param_schedulers'), runner.param_schedulers)
    )
    if problem:
        raise UserInputError(
            f'{filename} cannot be resumed: {problem}. Run again without --resume to start this '
            'training anew, or replace the file with an undamaged checkpoint of the same config.'
        )


def _counters_problem(meta: Any) -> str:
    counters = meta if isinstance(meta, dict) else {}
    for name in _COUNTERS:
        value = counters.get(name)
        if not isinstance(value, int) or value < 0:
            return f'meta.{name} is {value!r}, expected a count of at least 0'
    return ''


def _log_problem(log: Any) -> str:
    whole = isinstance(log, dict) and all(isinstance(log.get(name), dict) for name in _LOG)
    return '' if whole else f'message_hub is not a dict of the dicts {", ".join(_LOG)}'


def _optimizer_problem(state: Any, wrapper: Any) -> str:
    if state is None:
        return 'it has no optimizer state (was it saved with save_optimizer=False?)'
    if not isinstance(wrapper, OptimWrapperDict):
        return _single_optimizer_problem(state, wrapper.optimizer)
    given = sorted(state) if isinstance(state, dict) else []
    if given != sorted(wrapper.keys()):
        return f'its optimizers are {given}, but those of the config are {sorted(wrapper.keys())}'
    for name, single in wrapper.items():
        if problem := _single_optimizer_problem(state[name], single.optimizer):
            return f'{name}: {problem}'
    return ''


def _single_optimizer_problem(state: Any, optimizer: Optimizer) -> str:
    groups, own = (_field(state, 'param_groups', list), optimizer.param_groups)
    values = _field(state, 'state', dict)
    if groups is None or values is None or not all(isinstance(group, dict) for group in groups):
        return 'its optimizer state is damaged'
    sizes = [len(group.get('params', ())) for group in groups]
    own_sizes = [len(group['params']) for group in own]
    if sizes != own_sizes:
        return (
            f'its optimizer has groups of {_short(sizes)} parameters, but that of the config has '
            f'{_short(own_sizes)}'
        )
    if lacking := _lacking(groups, optimizer):
        return f'its optimizer lacks {sorted(lacking)}, so it differs from that of the config'
    return _values_problem(values, groups, optimizer)


def _lacking(groups: list[dict], optimizer: Optimizer) -> set[str]:
    """Name what the groups lack after the optimizer has added what older versions lacked."""
    trial = copy.copy(optimizer)  # its groups are replaced, not changed
    trial.load_state_dict({'state': {}, 'param_groups': groups})
    pairs = zip(optimizer.param_groups, trial.param_groups, strict=True)
    return {key for mine, group in pairs for key in mine.keys() - group}


def _values_problem(values: dict, groups: list[dict], optimizer: Optimizer) -> str:
    """Compare the shapes of values such as momentum with those of the parameters."""
    parameters = [weight for group in optimizer.param_groups for weight in group['params']]
    keys = [key for group in groups for key in group['params']]
    for key, weight in zip(keys, parameters, strict=True):
        entry = values.get(key, {})
        if not isinstance(entry, dict):
            return 'its optimizer state is damaged'
        for name in _SHAPED:
            value = entry.get(name)
            if isinstance(value, Tensor) and value.shape != weight.shape:
                return (
                    f'{name} of its optimizer has shape {tuple(value.shape)}, but the parameter '
                    f'has {tuple(weight.shape)}'
                )
    return ''


def _schedules_problem(states: Any, schedules: Any) -> str:
    if not isinstance(schedules, list):  # none, or several optimizers
        return ''
    if not isinstance(states, list) or len(states) != len(schedules):
        found = len(states) if isinstance(states, list) else 'no'
        return f'its number of schedules is {found}, but the config has {len(schedules)}'
    for state, schedule in zip(states, schedules, strict=True):
        if not isinstance(state, dict) or schedule.state_dict().keys() - state:
            return f'it has no state for the {type(schedule).__name__} of the config'
    return ''


def _field(state: Any, name: str, kind: type) -> Any:
    value = state.get(name) if isinstance(state, dict) else None
    return value if isinstance(value, kind) else None


def _short(sizes: list[int]) -> str:
    return f'{sizes[:5]}' if len(sizes) <= 5 else f'{sizes[:5]} and {len(sizes) - 5} more'
