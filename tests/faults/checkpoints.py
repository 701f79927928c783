"""Files that are not a checkpoint, or not one of this model, each made from a good one.

An entry of a table writes one wrong file: ``write(good, path)``.
"""

import copy
import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

Write = Callable[[Path, Path], object]


def _bytes(change: Callable[[bytes], bytes]) -> Write:
    return lambda good, path: path.write_bytes(change(good.read_bytes()))


def _content(change: Callable[[dict], object]) -> Write:
    """Save what a function returns for the content of the good file."""

    def write(good: Path, path: Path) -> None:
        content = torch.load(good, weights_only=True)
        torch.save(change(copy.deepcopy(content)), path)

    return write


def _tensors(change: Callable[[dict], dict]) -> Write:
    """Save the good file with another state dict."""
    return _content(lambda content: {**content, 'state_dict': change(dict(content['state_dict']))})


def _each(change: Callable[[torch.Tensor], object]) -> Write:
    return _tensors(lambda state: {name: change(value) for name, value in state.items()})


def _first_weight(change: Callable[[torch.Tensor], object]) -> Write:
    def changed(state: dict) -> dict:
        name = next(n for n, value in state.items() if value.dim() == 4)
        return {**state, name: change(state[name])}

    return _tensors(changed)


def _zip(members: dict[str, bytes]) -> Write:
    def write(good: Path, path: Path) -> None:
        with zipfile.ZipFile(path, 'w') as file:
            for name, content in members.items():
                file.writestr(name, content)

    return write


def _tar(good: Path, path: Path) -> None:
    with tarfile.open(path, 'w') as file:
        info = tarfile.TarInfo('pickle')
        info.size = 3
        file.addfile(info, io.BytesIO(b'abc'))


def _legacy_cut(good: Path, path: Path) -> None:
    content = torch.load(good, weights_only=True)
    torch.save(content, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-1000])


def _legacy_flipped(good: Path, path: Path) -> None:
    content = torch.load(good, weights_only=True)
    torch.save(content, path, _use_new_zipfile_serialization=False)
    data = bytearray(path.read_bytes())
    data[40:400:7] = bytes(b ^ 0xFF for b in data[40:400:7])
    path.write_bytes(bytes(data))


def _without_storage(good: Path, path: Path) -> None:
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, 'w') as target:
        for name in source.namelist():
            if not name.endswith('/data/0'):
                target.writestr(name, source.read(name))


def _other_pickle(good: Path, path: Path) -> None:
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, 'w') as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, b'\x80\x02}q' if name.endswith('data.pkl') else content)


class _Code:
    def __reduce__(self) -> tuple:
        return (print, ('this must not run',))


def _folder(good: Path, path: Path) -> None:
    path.mkdir()


NOT_READ: dict[str, Write] = {
    'empty': _bytes(lambda data: b''),
    'one byte': _bytes(lambda data: b'\x80'),
    'cut after 10 bytes': _bytes(lambda data: data[:10]),
    'cut after 100 bytes': _bytes(lambda data: data[:100]),
    'cut in the middle': _bytes(lambda data: data[: len(data) // 2]),
    'cut by one byte': _bytes(lambda data: data[:-1]),
    'without its start': _bytes(lambda data: data[1000:]),
    'zeros': _bytes(lambda data: bytes(len(data))),
    'text': _bytes(lambda data: b'wrong file\n'),
    'number': _bytes(lambda data: b'1'),
    'HTML': _bytes(lambda data: b'<!DOCTYPE html><html><body>404</body></html>'),
    'JSON': _bytes(lambda data: b'{"state_dict": {}}'),
    'PNG': _bytes(lambda data: b'\x89PNG\r\n\x1a\n' + bytes(100)),
    'noise': _bytes(lambda data: np.random.default_rng(0).bytes(5000)),
    'pickle opcodes': _bytes(lambda data: b'\x80\x02(((((}}}}tR.'),
    'pickle of a huge length': _bytes(lambda data: b'\x80\x02X\xff\xff\xff\x7fa.'),
    'pickle with a bad memo': _bytes(lambda data: b'\x80\x02h\x07.'),
    'pickle with an empty stack': _bytes(lambda data: b'\x80\x02.'),
    'pickle with code': lambda good, path: path.write_bytes(pickle.dumps(_Code())),
    'checkpoint with code': _content(lambda content: {**content, 'extra': _Code()}),
    'plain pickle of a dict': lambda good, path: path.write_bytes(pickle.dumps({'a': 1})),
    'zip of a text': _zip({'a.txt': b'text'}),
    'empty zip': _zip({}),
    'zip without tensors': _without_storage,
    'zip with another pickle': _other_pickle,
    'tar': _tar,
    'old form, cut': _legacy_cut,
    'old form, damaged': _legacy_flipped,
    'folder': _folder,
    'missing': lambda good, path: None,
}
"""Files that cannot be read."""

NOT_A_MODEL: dict[str, Write] = {
    'list': _content(lambda content: [content]),
    'integer': _content(lambda content: 3),
    'string': _content(lambda content: 'weights'),
    'nothing': _content(lambda content: None),
    'tensor': _content(lambda content: torch.zeros(3)),
    'empty dict': _content(lambda content: {}),
    'empty state dict': _content(lambda content: {**content, 'state_dict': {}}),
    'no state dict': _content(lambda content: {'meta': content['meta']}),
    'state dict that is a list': _content(lambda content: {**content, 'state_dict': [1, 2]}),
    'state dict that is nothing': _content(lambda content: {**content, 'state_dict': None}),
    'dict of integers': _content(lambda content: dict.fromkeys(content['state_dict'], 1)),
    'dict of strings': _content(lambda content: dict.fromkeys(content['state_dict'], 'a')),
    'state dict below `model`': _content(lambda content: {'model': content['state_dict']}),
    'state dict nested twice': _content(lambda c: {'state_dict': {'state_dict': c['state_dict']}}),
    'names that are integers': _tensors(lambda state: dict(enumerate(state.values()))),
    'names that are tuples': _tensors(lambda state: {(name,): v for name, v in state.items()}),
    'arrays for tensors': _each(lambda tensor: tensor.numpy()),
}
"""Files with something else in them than the tensors of a model."""

MISFITS: dict[str, Write] = {
    'other prefix': _tensors(lambda state: {f'net.{name}': v for name, v in state.items()}),
    'backbone alone': _tensors(lambda s: {n: v for n, v in s.items() if 'backbone.' in n}),
    'head alone': _tensors(lambda s: {n: v for n, v in s.items() if 'head.' in n}),
    'every second tensor': _tensors(lambda state: dict(list(state.items())[::2])),
    'without buffers': _tensors(lambda s: {n: v for n, v in s.items() if 'running_' not in n}),
    'one name misspelt': _tensors(
        lambda s: {n.replace('classifier.weight', 'classifier.wieght'): v for n, v in s.items()}
    ),
    'fewer channels': _each(lambda tensor: tensor[:1] if tensor.dim() else tensor),
    'one weight of another shape': _first_weight(lambda weight: weight[:, :, :1]),
    'one weight flat': _first_weight(torch.flatten),
    'one weight is a number': _first_weight(lambda weight: 1.0),
    'one weight is a list': _first_weight(lambda weight: weight.tolist()),
    'integers': _each(lambda tensor: tensor.long()),
    'complex numbers': _first_weight(lambda weight: weight.to(torch.complex64)),
    'sparse': _first_weight(lambda weight: weight.to_sparse()),
    'quantised': _first_weight(lambda w: torch.quantize_per_tensor(w, 0.1, 0, torch.qint8)),
    'without storage': _first_weight(lambda weight: weight.to('meta')),
    'NaN in one weight': _first_weight(
        lambda weight: weight.index_fill(0, torch.tensor(0), np.nan)
    ),
    'all NaN': _each(lambda t: torch.full_like(t, np.nan) if t.is_floating_point() else t),
    'infinite variance': _tensors(
        lambda s: {n: v + np.inf if 'running_var' in n else v for n, v in s.items()}
    ),
}
"""Files of another model, or of one that failed."""


def _optimizer(change: Callable[[dict], object]) -> Write:
    def changed(content: dict) -> dict:
        content['optimizer'] = change(content['optimizer'])
        return content

    return _content(changed)


def _without(key: str) -> Write:
    return _content(lambda content: {k: v for k, v in content.items() if k != key})


def _with(key: str, value: object) -> Write:
    return _content(lambda content: {**content, key: value})


def _momentum_of_another_shape(state: dict) -> dict:
    for entry in state['state'].values():
        for name, value in entry.items():
            if isinstance(value, torch.Tensor) and value.dim():
                entry[name] = value.flatten()[:1]
    return state


NOT_RESUMED: dict[str, Write] = {
    'no meta': _without('meta'),
    'meta is a list': _with('meta', [1]),
    'meta without iterations': _with('meta', {'epoch': 0}),
    'iterations as text': _with('meta', {'epoch': 0, 'iter': '4'}),
    'negative iterations': _with('meta', {'epoch': 0, 'iter': -4}),
    'no log': _without('message_hub'),
    'log is a list': _with('message_hub', [1]),
    'log without its parts': _with('message_hub', {'log_scalars': {}}),
    'no optimizer': _without('optimizer'),
    'optimizer is a list': _with('optimizer', [1]),
    'empty optimizer': _with('optimizer', {}),
    'no groups': _optimizer(lambda state: {**state, 'param_groups': []}),
    'groups of nothing': _optimizer(lambda state: {**state, 'param_groups': [None]}),
    'a group without learning rate': _optimizer(
        lambda state: {
            **state,
            'param_groups': [{'params': g['params']} for g in state['param_groups']],
        }
    ),
    'fewer parameters': _optimizer(
        lambda s: {
            **s,
            'param_groups': [{**g, 'params': g['params'][1:]} for g in s['param_groups']],
        }
    ),
    'momentum of another shape': _optimizer(_momentum_of_another_shape),
    'momentum is text': _optimizer(lambda s: {**s, 'state': dict.fromkeys(s['state'], 'a')}),
    'no schedules': _without('param_schedulers'),
    'fewer schedules': _with('param_schedulers', []),
    'schedules of text': _content(
        lambda content: {**content, 'param_schedulers': ['a'] * len(content['param_schedulers'])}
    ),
}
"""Files whose model is right but whose state of the training is not."""
