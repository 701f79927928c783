"""Contracts: what a part of a method must define, and what it may leave at a default.

To add a part, subclass the contract of its kind, register the class and name it in a config;
nothing else in the package needs to know about it.

Legend: B images, C channels, K foreground classes, R scored regions, n present classes, h x w
feature grid, H x W pixels.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from mmengine.model import BaseModel, BaseModule
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.structures.cam_outputs import CAMOutputs, Pooled
from mmwsss.structures.errors import UserInputError

Encode = Callable[[Tensor], CAMOutputs]
Part = TypeVar('Part')
# Key in the meta of a checkpoint that holds the settings of `HasTrainingSettings`.
TRAINED_WITH = 'trained_with'


@dataclass(frozen=True)
class Component:
    """A component that a config names, before it is built.

    Attributes:
        key: Where the config names it, such as ``'model.head.pooling'``.
        options: Its part of the config.
        kind: Its class.
    """

    key: str
    options: Mapping[str, Any]
    kind: type[Any]


@dataclass(frozen=True)
class StagePlan:
    """What a stage is going to run, before any of it is built.

    Attributes:
        name: Name of the stage.
        task: ``'train'`` or ``'test'``.
        config: The whole config of the stage.
        taken: Config keys that an earlier stage will fill in.
        components: Everything that its task builds, nested parts included.
    """

    name: str
    task: str
    config: Mapping[str, Any]
    taken: frozenset[str] = frozenset()
    components: tuple[Component, ...] = ()

    @property
    def max_iters(self) -> int | None:
        """Number of training iterations; None if the config counts epochs."""
        return (self.config.get('train_cfg') or {}).get('max_iters')

    def parts(self, contract: type[Any]) -> list[Component]:
        """Components of one kind, in the order of the config."""
        return [part for part in self.components if issubclass(part.kind, contract)]

    def has_hook(self, name: str) -> bool:
        """Whether a hook is an instance of the class of this name or of a subclass."""
        hooks = [part.kind for part in self.components if '_hooks.' in part.key]
        return any(name == base.__name__ for hook in hooks for base in hook.__mro__)


class Checked:
    """A component that states what it needs from the stage around it.

    Attributes:
        part_types: Options whose dicts need no ``type``, with the class that takes each. Spelling
            out defaults of that class does not make such a dict a different setting.
    """

    part_types: ClassVar[Mapping[str, type]] = {}

    @classmethod
    def check(cls, options: Mapping[str, Any], key: str, stage: StagePlan) -> None:
        """Refuse a stage in which the component could not work; the default accepts all.

        Called before anything runs and before the component itself is built.

        Args:
            options: Its part of the config.
            key: Where the config names it.
            stage: The stage around it.

        Raises:
            UserInputError: Naming the config key, what it lacks and what to set.
        """


class Objective(BaseModule, Checked):
    """Compares the outputs of the network with weak labels, or learns from them in another way.

    Attributes:
        stateful: Whether it is called even while disabled, so that its state follows the training.
            It then returns no loss.
        enabled: Whether it contributes to the loss; ``StartObjectiveHook`` sets it.
        reports: Names of the values it returns besides losses, for the log and for hooks.
        num_classes: K, if the objective is told.
        name: The ``name`` in its config, by which hooks find it.
    """

    stateful: bool = False
    enabled: bool = True
    reports: tuple[str, ...] = ()
    num_classes: int | None = None
    name: str | None = None

    @property
    def requires(self) -> tuple[str, ...]:
        """Names in ``outputs.parts`` that a pooling or context must provide."""
        return ()

    @abstractmethod
    def forward(
        self, outputs: CAMOutputs, data_samples: list[SegDataSample], encode: Encode
    ) -> dict[str, Tensor]:
        """Return losses under keys that contain ``loss``, and the values in ``reports``, all ().

        Args:
            outputs: Outputs of the network for the batch.
            data_samples: Weak labels of the batch.
            encode: Runs the same network on other normalised images (B, 3, H, W).
        """


class PhasedObjective(Objective):
    """An objective that trains different parts in turn; ``AlternatingPhaseHook`` switches them."""

    @classmethod
    def check(cls, options: Mapping[str, Any], key: str, stage: StagePlan) -> None:
        """Refuse training without the hook that switches the phases."""
        if stage.task == 'train' and not stage.has_hook('AlternatingPhaseHook'):
            raise UserInputError(
                f'{key}: {cls.__name__} learns in two phases, but custom_hooks has no '
                'AlternatingPhaseHook to switch them, so the second phase would never start. Add '
                "dict(type='AlternatingPhaseHook'); for a single phase, set first equal to period."
            )

    @abstractmethod
    def set_phase(self, phase: str) -> None:
        """Choose what learns, ``'probability'`` or ``'threshold'``."""


class Pooling(BaseModule, Checked):
    """Decides what is scored: the image, boxes, parts of boxes.

    Attributes:
        with_background: Whether background is a class: 1+K exclusive score channels, else K.
        provides: Names that it puts into ``Pooled.parts``.
        num_classes: K, if the pooling is told.
    """

    with_background: bool = False
    provides: tuple[str, ...] = ()
    num_classes: int | None = None

    @abstractmethod
    def forward(
        self, feats: Tensor, score_map: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> Pooled:
        """Pool a score map (B, K or 1+K, h, w), with weights that may depend on the features.

        Without data samples, in prediction, the whole image is pooled to (B, K or 1+K) logits
        without targets. The implementation must never wait for the device; rows that only pad the
        batch have the target 255.
        """

    @abstractmethod
    def image_scores(self, score_map: Tensor) -> Tensor:
        """Probabilities of the foreground classes in the image, (B, K)."""


class Context(BaseModule, Checked):
    """Enriches features before they are classified.

    Attributes:
        provides: Names of the parts that it returns.
        num_classes: K, if the context is told.
        out_channels: Channels of the returned features, the head's ``in_channels``; None if the
            context is not told.
    """

    provides: tuple[str, ...] = ()
    num_classes: int | None = None
    out_channels: int | None = None

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Turn features (B, C, h, w) into those for the classifier; return these and the parts."""


class Head(BaseModule, Checked):
    """Scores every position, and pools the scores.

    Attributes:
        num_classes: K.
    """

    num_classes: int

    @property
    @abstractmethod
    def provides(self) -> tuple[str, ...]:
        """Names of the parts in its outputs."""

    @property
    @abstractmethod
    def class_weights(self) -> Tensor:
        """Weights of the classifier, (K or 1+K, C)."""

    @abstractmethod
    def forward(self, feats: tuple[Tensor, ...], data_samples: list | None = None) -> CAMOutputs:
        """Score all positions and pool them; without data samples, pool the whole image."""

    @abstractmethod
    def image_scores(self, outputs: CAMOutputs) -> Tensor:
        """Probabilities of the foreground classes in the image, (B, K)."""

    @abstractmethod
    def foreground(self, score_map: Tensor) -> Tensor:
        """Drop the background channel, if there is one: (B, K, h, w)."""


class CAMSource(BaseModel, Checked):
    """A model whose predictions are class activation maps, from a network, files or boxes.

    Its ``forward(inputs, data_samples, mode='predict')`` fills each sample with ``cams`` and
    ``cam_label``, and with the fields named in ``required_fields`` of the sample's metainfo.

    Attributes:
        rectify: At which step the maps lose their negative part; None if unknown.
        maps_per_view: Number of maps summed to the maps of one view.
        requires: Fields of the data sample from which the maps are made, besides the image.
    """

    rectify: str | None = None
    maps_per_view: int = 1
    requires: tuple[str, ...] = ()

    def __new__(cls, *args: Any, **kwargs: Any) -> 'CAMSource':
        """Refuse to be built by mmseg's ``init_model``, which passes these two to a segmentor."""
        if {'pretrained', 'train_cfg'} <= kwargs.keys():
            raise _not_a_segmentor(cls)
        return super().__new__(cls)

    @property
    def cfg(self) -> None:
        """Where inferencers of other packages put the config; this model has none."""
        raise AttributeError('cfg')

    @cfg.setter
    def cfg(self, config: object) -> None:
        raise _not_a_segmentor(type(self))


def _not_a_segmentor(kind: type) -> UserInputError:
    return UserInputError(
        f'{kind.__name__} gives class activation maps, not a segmentation. Use '
        'mmwsss.apis.CAMInferencer(model, weights) for its maps, or PseudoLabelInferencer for '
        'labels.'
    )


@runtime_checkable
class HasTrainingSettings(Protocol):
    """A network whose weights are valid only with the settings of their training.

    Some settings, such as the normalisation of the input, do not show in the weights, which load
    with any of them. They are therefore saved in the meta of its checkpoints, and compared where
    the network is used again.

    Attributes:
        trained_with: The settings by their keys in the network's config, as plain data.
    """

    trained_with: Mapping[str, Any]


class LabelPart(ABC, Checked):
    """A part of the generator of pseudo labels.

    Attributes:
        requires: Fields of the data sample that it needs besides the CAMs.
    """

    requires: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Files and folders whose content affects its result."""
        return ()

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of images so far that needed special treatment, by reason."""
        return {}

    def check_images(self, img_ids: Sequence[str]) -> None:
        """Refuse files that belong to none of the images to be labelled.

        Raises:
            UserInputError: Naming the part and its files.
        """


class Normalizer(LabelPart):
    """Scales class activation maps."""

    @abstractmethod
    def normalize(self, cams: Tensor, sample: SegDataSample) -> Tensor:
        """Normalise maps (n, H, W)."""


class Background(LabelPart):
    """Scores "no class", on the scale of the normalised maps."""

    @abstractmethod
    def background(self, cams: Tensor, sample: SegDataSample) -> Tensor:
        """Score the background, (n, H, W) -> (1, H, W)."""


class Refiner(LabelPart):
    """Turns scores into better scores.

    Attributes:
        in_worker: Whether it is CPU-bound and needs only scores and image. It may then run in
            another process, where ``sample`` is None.
    """

    in_worker: bool = False

    @abstractmethod
    def refine(self, scores: Tensor, image: np.ndarray, sample: SegDataSample | None) -> Tensor:
        """Refine scores (1+n, H, W), background first; `image` is RGB uint8 (H, W, 3)."""


class Labeler(LabelPart):
    """Turns scores into a label map."""

    @abstractmethod
    def __call__(self, scores: Tensor, sample: SegDataSample) -> Tensor:
        """Turn scores (1+n, H, W) into labels, uint8 (H, W)."""


class WeakDataset(Checked):
    """A data set with weak labels.

    Attributes:
        supervision: ``'box'``, ``'tag'``, or None if only label maps are read.
        unread_folders: Keys of ``data_prefix`` whose folders are not read.
    """

    supervision: Literal['box', 'tag'] | None
    unread_folders: frozenset[str] = frozenset()


class GivesOutputs(ABC):
    """A loop or hook that makes files for later stages to take."""

    @classmethod
    @abstractmethod
    def output_names(cls, options: Mapping[str, Any]) -> set[str]:
        """Names of its outputs under this config."""

    @property
    @abstractmethod
    def outputs(self) -> dict[str, str]:
        """Absolute path of each output, by name."""


def check_contract(part: Part, contract: type, key: str) -> Part:
    """Return a part that was built if it is of the right kind.

    Args:
        part: The part.
        contract: The contract that it must subclass.
        key: Where the config names it.

    Raises:
        UserInputError: If it is of another kind, or lists names in a string instead of a tuple; a
            string would be read letter by letter.
    """
    for attribute in ('requires', 'provides', 'files'):
        if isinstance(value := getattr(part, attribute, ()), str):
            raise UserInputError(
                f'{key}: {attribute} of {type(part).__name__} must be a tuple, got {value!r}. '
                f'Write ({value!r},).'
            )
    if not isinstance(part, contract):
        name = contract.__name__
        raise UserInputError(
            f'{key}: expected a component of the kind {name}, got {type(part).__name__}. '
            f'docs/methods.md lists the available ones; your own must subclass '
            f'mmwsss.structures.{name}.'
        )
    return part
