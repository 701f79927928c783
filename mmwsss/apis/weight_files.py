"""What weight converters share: reading, checking and writing state dicts."""

import pickle
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from mmwsss.structures import UserInputError
from mmwsss.structures.atomic_files import open_atomically


def load_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a state dict, possibly from inside a checkpoint, without running code from the file.

    Raises:
        UserInputError: If there is no such file, or if it holds anything else.
    """
    if not path.is_file():
        raise UserInputError(f'{path} does not exist.')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise UserInputError(
            f'{path} is not a file of plain tensors written by torch.save: '
            f'{next(iter(str(error).splitlines()), "it is empty or cut off")}'
        ) from error
    if isinstance(content, dict):
        content = next((content[key] for key in ('state_dict', 'model') if key in content), content)
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise UserInputError(
            f'{path} does not hold a state dict, which is a dict of names and tensors.'
        )
    return content


def save_atomically(content: dict, path: Path) -> None:
    """Save a checkpoint such that an interrupted run leaves no broken file."""
    with open_atomically(path) as file:
        torch.save(content, file)


def prefix_of(source: dict[str, Tensor], name: str) -> str | None:
    """Find the prefix of a name, such as 'module.'; None if the name does not occur."""
    found = [n for n in source if n == name or n.endswith(f'.{name}')]
    return found[0].removesuffix(name) if found else None


def expected_shapes(build: Callable[[], nn.Module]) -> dict[str, torch.Size]:
    """List the tensors in a module's state dict, without allocating memory."""
    with torch.device('meta'):
        return {name: tensor.shape for name, tensor in build().state_dict().items()}


def take(source: dict[str, Tensor], expected: dict[str, torch.Size]) -> dict[str, Tensor]:
    """Copy the expected tensors out of a state dict.

    A linear layer is accepted for an equivalent convolution. Batch counters, which older files lack
    and nothing reads, are set to 0.

    Raises:
        UserInputError: If tensors are missing or have a different shape.
    """
    is_counter = {name: name.endswith('num_batches_tracked') for name in expected}
    missing = [name for name in expected if name not in source and not is_counter[name]]
    if missing:
        raise UserInputError(
            f'missing tensors: {len(missing)} of {len(expected) - sum(is_counter.values())} '
            f'({_some(missing)}). Name a complete file of this network.'
        )
    taken = {}
    for name, shape in expected.items():
        if is_counter[name]:
            taken[name] = torch.zeros((), dtype=torch.long)
            continue
        tensor = source[name]
        if _flat(tensor.shape) != _flat(shape):
            raise UserInputError(
                f'{name} has shape {tuple(tensor.shape)}, expected {tuple(shape)}: these are '
                'weights of a different network.'
            )
        taken[name] = tensor.reshape(shape).clone()
    return taken


def _flat(shape: torch.Size) -> tuple[int, int]:
    return shape[0] if shape else 1, shape[1:].numel()


def _some(names: list[str]) -> str:
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
