"""The stages of a pipeline, as its config lists them."""

from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config

from mmwsss.engine.config.call_checks import nearest
from mmwsss.engine.config.files import override, read_config
from mmwsss.engine.config.structure import check_structure
from mmwsss.engine.labels import PseudoLabelLoop
from mmwsss.registry import HOOKS, LOOPS, find_class
from mmwsss.structures import GivesOutputs, UserInputError, check_name


@dataclass
class Stage:
    """One stage of a pipeline.

    Attributes:
        name: Short name, used on the command line, in the work folder and in the table.
        config: The stage's config.
        takes: Config key -> ``'<stage>.<output>'`` of an earlier stage.
        task: ``'train'`` or ``'test'``; by default ``'train'`` when the config has a training loop.
        tta: Test with the config's ``tta_model`` and ``tta_pipeline``.
    """

    name: str
    config: Config
    takes: dict[str, str] = field(default_factory=dict)
    task: str = ''
    tta: bool = False

    def __post_init__(self) -> None:
        """Choose the task."""
        self.task = self.task or ('train' if self.config.get('train_cfg') else 'test')

    @property
    def makes_labels(self) -> bool:
        """Whether the stage makes pseudo labels."""
        loop = find_class(self.config.get('test_cfg') or {}, LOOPS)
        return self.task == 'test' and loop is not None and issubclass(loop, PseudoLabelLoop)


def is_pipeline(config: Config) -> bool:
    """Say whether a config lists stages."""
    return 'stages' in config


def load_stages(config: Config, options: dict | None = None) -> list[Stage]:
    """Read the configs of all stages.

    Args:
        config: Config with ``stages``; the stages' paths are relative to its file.
        options: Overrides ``'<stage>.<key>' -> value``.

    Raises:
        UserInputError: If an entry has a wrong or unknown key or no name, a config is missing or
            cannot be read, a name is used twice, or an override or ``takes`` names a stage, an
            output or a config key that does not exist or comes later.
    """
    if not isinstance(config.stages, list | tuple) or not config.stages:
        raise UserInputError(
            f'{config.filename}: `stages` must be a list of at least one stage, got '
            f'{config.stages!r}.'
        )
    stages: list[Stage] = []
    for number, entry in enumerate(config.stages):
        _check_entry(config.filename, number, entry, known=[stage.name for stage in stages])
        options_of_entry = {k: entry[k] for k in ('takes', 'task', 'tta') if k in entry}
        path = Path(config.filename).parent / entry['config']
        stages.append(Stage(entry['name'], read_config(path), **options_of_entry))
    _override(stages, options or {})
    for stage in stages:
        check_structure(stage.name, stage.config)
        for key in stage.takes:
            _check_taken_key(config.filename, stage, key)
    _check_sources(stages)
    return stages


def output_names(config: Config, task: str) -> set[str]:
    """Name the outputs: a checkpoint and what hooks make, or what the loop of the test makes."""
    if task == 'train':
        names = {'checkpoint'}
        makers = [(hook, HOOKS) for hook in config.get('custom_hooks') or ()]
    else:
        names = set()
        makers = [(config.get('test_cfg') or {}, LOOPS)]
    for options, registry in makers:
        maker = find_class(options, registry)
        if maker is not None and issubclass(maker, GivesOutputs):
            names |= maker.output_names(options)
    return names


_KEYS = {'name': str, 'config': str, 'task': str, 'tta': bool, 'takes': dict}


def _check_entry(filename: str, number: int, entry: object, *, known: list[str]) -> None:
    """Refuse an entry of ``stages`` that cannot be one, before its config is read."""
    place = f'{filename}: stages[{number}]'
    if not isinstance(entry, dict):
        raise UserInputError(f'{place} must be a dict with `name` and `config`, got {entry!r}.')
    for key in entry:
        if key not in _KEYS:
            hint = ', '.join(nearest(key, _KEYS)) or ', '.join(_KEYS)
            raise UserInputError(
                f'{place} has the unknown key {key!r}. The nearest known keys: {hint}.'
            )
    for key, kind in _KEYS.items():
        if not isinstance(entry.get(key, kind()), kind):
            raise UserInputError(
                f'{place}: {key} = {entry[key]!r} must be a {kind.__name__}, not a '
                f'{type(entry[key]).__name__}.'
            )
    lacking = [key for key in ('name', 'config') if not entry.get(key)]
    if lacking:
        raise UserInputError(f'{place} lacks {" and ".join(lacking)}; it has {sorted(entry)}.')
    check_name(f'{place}', entry['name'], dots=False)
    if entry['name'] in known:
        raise UserInputError(f"{filename}: two stages are named '{entry['name']}'.")
    path = Path(filename).parent / entry['config']
    if not path.is_file():
        raise UserInputError(
            f"{filename}: stage '{entry['name']}' names config {path}, which does not exist. "
            'Paths are relative to the pipeline config.'
        )
    if entry.get('task', 'train') not in ('train', 'test'):
        raise UserInputError(
            f"{filename}: stage '{entry['name']}' has task = {entry['task']!r}, which must be "
            "'train' or 'test'."
        )
    for key, source in entry.get('takes', {}).items():
        if not isinstance(source, str) or source.count('.') < 1:
            raise UserInputError(
                f"{filename}: stage '{entry['name']}' takes {key} from {source!r}, which must be "
                "'<stage>.<output>'."
            )
        if source.split('.')[0] not in known:
            raise UserInputError(
                f"{filename}: stage '{entry['name']}' takes {key} from '{source}', but the stages "
                f'before it are {known}.'
            )


def _check_taken_key(filename: str, stage: Stage, key: str) -> None:
    """Refuse a key that leads through parts which the stage's config does not have."""
    node: object = stage.config._cfg_dict
    *parents, last = key.split('.')
    for depth, part in enumerate([*parents, last]):
        children = dict(enumerate(node)) if isinstance(node, list | tuple) else node
        name = int(part) if isinstance(node, list | tuple) and part.isdigit() else part
        if isinstance(children, dict) and name in children:
            node = children[name]
        elif not isinstance(node, dict) or depth < len(parents) or not parents:
            if key == 'load_from':  # the runner's, set in no config
                return
            known = [str(child) for child in children] if isinstance(children, dict) else []
            hint = ', '.join(nearest(part, known) or known) or 'nothing'
            raise UserInputError(
                f"{filename}: stage '{stage.name}' takes {key}, but its config has no {part!r} "
                f'in {".".join(parents[:depth]) or "it"}. There is: {hint}.'
            )


def _check_sources(stages: list[Stage]) -> None:
    """Check that every stage gives what later ones take from it."""
    outputs = {stage.name: output_names(stage.config, stage.task) for stage in stages}
    for stage in stages:
        for key, source in stage.takes.items():
            name, _, output = source.partition('.')
            if output not in outputs[name]:
                raise UserInputError(
                    f"stage '{stage.name}' takes {key} from '{source}', but stage '{name}' gives "
                    f'{sorted(outputs[name])}.'
                )


def _override(stages: list[Stage], options: dict) -> None:
    by_name = {stage.name: stage for stage in stages}
    for key, value in options.items():
        name, _, rest = key.partition('.')
        if name not in by_name or not rest:
            raise UserInputError(
                f"--cfg-options {key}: a pipeline's overrides start with a stage's name, one of "
                f'{list(by_name)}, e.g. {next(iter(by_name))}.{key}=...'
            )
        override(by_name[name].config, rest, value)
