"""What decides the content of labels, and what is noted about it."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mmengine
import torch
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner

from mmwsss.engine.loops.label_files import file_hash, fingerprint
from mmwsss.models.classifiers.stored_cams import StoredCAMs
from mmwsss.version import __version__

_PACKAGES = ('torch', 'numpy', 'pydensecrf2')


def label_settings(
    runner: Runner, dataloader: dict, generator: dict, files: tuple[str, ...]
) -> dict:
    """Collect what decides the content of all labels: not where data lie, nor which images.

    What else decides that of an image is its own weak label, see
    :func:`~mmwsss.engine.loops.label_store.label_stamps`.

    Args:
        runner: The runner.
        dataloader: Config of the data loader.
        generator: Config of the generator.
        files: Paths in it that stand for the content of a file or folder, which exists.
    """
    load_from = runner.cfg.get('load_from')
    dataset = dataloader['dataset']
    indifferent = ('data_root', 'data_prefix', 'ann_file', 'label_file', 'missing_annotation')
    indifferent += ('proportion_file',)
    return dict(
        model=_model_settings(runner),
        dataset={key: value for key, value in dataset.items() if key not in indifferent},
        generator=_by_content(generator, {path: _content_hash(Path(path)) for path in files}),
        checkpoint=file_hash(load_from) if load_from else None,
    )


def _model_settings(runner: Runner) -> dict:
    """Take stored maps by the settings that made them and not by where they lie."""
    settings, model = dict(runner.cfg.model), base_model(runner.model)
    if isinstance(model, StoredCAMs):
        settings['folder'] = [model.folder.name, model.stamp or _listing_hash(model.folder, '.npz')]
    return settings


def _content_hash(path: Path) -> str:
    """Hash what is in a file, or which files are in a folder of maps."""
    return _listing_hash(path, '.png') if path.is_dir() else file_hash(path)


def _listing_hash(folder: Path, suffix: str) -> str:
    """Hash names, sizes and times of files of another program, which may be many."""
    files = [(path, path.stat()) for path in sorted(folder.glob(f'**/*{suffix}'))]
    return fingerprint(
        [(str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns) for path, stat in files]
    )


def _by_content(node: object, hashes: dict[str, str]) -> object:
    """Put the hash of its content in place of a path, which may change."""
    if isinstance(node, dict):
        return {key: _by_content(value, hashes) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_by_content(value, hashes) for value in node]
    return hashes.get(node, node) if isinstance(node, str) else node


def package_versions() -> dict[str, str]:
    """Versions of the packages that labels depend on."""
    found = {'mmwsss': __version__, 'mmengine': mmengine.__version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = 'not installed'
    return found


def base_model(model: torch.nn.Module) -> torch.nn.Module:
    """Unwrap a data-parallel or test-time-augmentation wrapper."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model
