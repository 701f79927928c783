"""The stages of a pipeline, with their configs."""

import copy
from dataclasses import dataclass, field

from mmengine.config import Config

from mmwsss.engine.config.data import finish_config
from mmwsss.engine.config.files import override, read_config
from mmwsss.engine.config.structure import check_structure
from mmwsss.engine.labels import PseudoLabelLoop
from mmwsss.engine.pipeline.entries import stage_entries
from mmwsss.registry import HOOKS, LOOPS, find_class
from mmwsss.structures import GivesOutputs, UserInputError
from mmwsss.structures.names import nearest


@dataclass
class Stage:
    """One stage of a pipeline.

    Attributes:
        name: Short name, used on the command line, in the work folder and in the table.
        config: The stage's config.
        takes: Config key -> ``'<stage>.<output>'`` of an earlier stage.
        task: ``'train'`` or ``'test'``; by default ``'train'`` if the config has a training loop.
        tta: Test with the config's ``tta_model`` and ``tta_pipeline``.
        unmeasured: What the data lack for validation (``'val'``) or testing (``'test'``).
    """

    name: str
    config: Config
    takes: dict[str, str] = field(default_factory=dict)
    task: str = ''
    tta: bool = False
    unmeasured: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Choose the task."""
        self.task = self.task or ('train' if self.config.get('train_cfg') else 'test')

    @property
    def makes_labels(self) -> bool:
        """Whether the stage makes pseudo labels."""
        loop = find_class(self.config.get('test_cfg') or {}, LOOPS)
        return self.task == 'test' and loop is not None and issubclass(loop, PseudoLabelLoop)

    @property
    def is_left_out(self) -> bool:
        """Whether it is a test without data to measure on."""
        return self.task == 'test' and 'test' in self.unmeasured


def is_pipeline(config: Config) -> bool:
    """Tell whether a config has stages."""
    return 'stages' in config


def load_stages(
    config: Config, options: dict | None = None, *, data: dict | None = None
) -> list[Stage]:
    """Read the configs of all stages.

    Args:
        config: Config with ``stages``, see :func:`~mmwsss.engine.pipeline.entries.stage_entries`,
            and possibly ``data``.
        options: Overrides ``'<stage>.<key>' -> value``, or ``'data.<key>'`` for all stages.
        data: Description of own data for all stages. By default the ``data`` of a stage's config
            are used, or else those of the pipeline.

    Raises:
        UserInputError: If an entry of ``stages`` is wrong, a config cannot be read, an override
            or ``takes`` names a stage, an output or a config key that does not exist, or own data
            do not fit.
    """
    entries = stage_entries(config)
    overrides = _by_stage(options or {}, [entry.name for entry in entries])
    stages = []
    for entry in entries:
        own = read_config(entry.config)
        if (described := data or own.get('data') or config.get('data')) is not None:
            own.data = copy.deepcopy(described)
        for key, value in entry.options.items():
            override(own, key, value, asked=f'{config.filename}: stages.{entry.name}.options')
        unmeasured = finish_config(own, overrides[entry.name])
        stages.append(Stage(entry.name, own, entry.takes, entry.task, entry.tta, unmeasured))
    for stage in stages:
        check_structure(stage.name, stage.config)
        for key in stage.takes:
            _check_taken_key(config.filename, stage, key)
    _check_sources(stages)
    return stages


def output_names(config: Config, task: str) -> set[str]:
    """Name the outputs: a checkpoint and outputs of hooks, or the outputs of the test loop."""
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


def _check_taken_key(filename: str, stage: Stage, key: str) -> None:
    """Refuse a key that leads through parts that the stage's config does not have."""
    node: object = stage.config._cfg_dict
    *parents, last = key.split('.')
    for depth, part in enumerate([*parents, last]):
        children = dict(enumerate(node)) if isinstance(node, list | tuple) else node
        name = int(part) if isinstance(node, list | tuple) and part.isdigit() else part
        if isinstance(children, dict) and name in children:
            node = children[name]
        elif not isinstance(node, dict) or depth < len(parents) or not parents:
            if key == 'load_from':  # a key of the runner, which no config sets
                return
            known = [str(child) for child in children] if isinstance(children, dict) else []
            hint = ', '.join(nearest(part, known) or known) or 'nothing'
            raise UserInputError(
                f"{filename}: stage '{stage.name}' takes {key}, but its config has no {part!r} "
                f'in {".".join(parents[:depth]) or "it"}. There is: {hint}.'
            )


def _check_sources(stages: list[Stage]) -> None:
    """Check that every stage gives what later ones take from it."""
    outputs = {
        stage.name: output_names(stage.config, stage.task)
        for stage in stages
        if stage.task == 'train' or not _has_unknown_loop(stage.config)
    }
    for stage in stages:
        for key, source in stage.takes.items():
            name, _, output = source.partition('.')
            if name in outputs and output not in outputs[name]:
                raise UserInputError(
                    f"stage '{stage.name}' takes {key} from '{source}', but stage '{name}' gives "
                    f'{sorted(outputs[name])}.'
                )


def _has_unknown_loop(config: Config) -> bool:
    """Whether the test loop is unknown; it is then refused when it is tried."""
    loop = config.get('test_cfg') or {}
    return 'type' in loop and find_class(loop, LOOPS) is None


def _by_stage(options: dict, names: list[str]) -> dict[str, dict]:
    """Sort the overrides of a pipeline by stage; those of ``data`` are for all."""
    found: dict[str, dict] = {name: {} for name in names}
    for key, value in options.items():
        name, _, rest = key.partition('.')
        if name == 'data' and name not in names:
            for own in found.values():
                own[key] = value
            continue
        if name not in names or not rest:
            near = nearest(name, names)
            example = f'{near[0]}.{rest}' if near else f'{names[0]}.{key}'
            raise UserInputError(
                f"--cfg-options {key}: a pipeline's overrides start with the name of a stage, such "
                f'as {example}=... Stages: {", ".join(names)}.'
            )
        found[name][rest] = value
    return found
