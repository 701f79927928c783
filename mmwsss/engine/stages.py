"""The stages of a pipeline, as its config lists them."""

from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config

from mmwsss.engine.stage import output_names
from mmwsss.structures import UserInputError


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
        is_label_loop = (self.config.get('test_cfg') or {}).get('type') == 'PseudoLabelLoop'
        return self.task == 'test' and is_label_loop


def is_pipeline(config: Config) -> bool:
    """Say whether a config lists stages."""
    return 'stages' in config


def load_stages(config: Config, options: dict | None = None) -> list[Stage]:
    """Read the configs of all stages.

    Args:
        config: Config with ``stages``; the stages' paths are relative to its file.
        options: Overrides ``'<stage>.<key>' -> value``.

    Raises:
        UserInputError: If a config is missing, a name is used twice, or an override or ``takes``
            names a stage or an output that does not exist or comes later.
    """
    folder = Path(config.filename).parent
    stages: list[Stage] = []
    for entry in config.stages:
        path = folder / entry['config']
        if not path.is_file():
            raise UserInputError(
                f"{config.filename}: stage '{entry['name']}' names config {path}, which does not "
                'exist. Paths are relative to the pipeline config.'
            )
        known = [stage.name for stage in stages]
        if entry['name'] in known:
            raise UserInputError(f"{config.filename}: two stages are named '{entry['name']}'.")
        for key, source in entry.get('takes', {}).items():
            if source.split('.')[0] not in known:
                raise UserInputError(
                    f"{config.filename}: stage '{entry['name']}' takes {key} from '{source}', but "
                    f'the stages before it are {known}.'
                )
        keys = {k: entry[k] for k in ('takes', 'task', 'tta') if k in entry}
        stages.append(Stage(entry['name'], Config.fromfile(path), **keys))
    _override(stages, options or {})
    _check_sources(stages)
    return stages


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
        by_name[name].config.merge_from_dict({rest: value})
