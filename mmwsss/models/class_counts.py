"""Compares the number of classes of a model with that of the data set."""

from collections.abc import Iterator, Sequence

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import nn

from mmwsss.models.classifiers import CAMClassifier
from mmwsss.structures import (
    Context,
    Head,
    Objective,
    Pooling,
    UserInputError,
    check_class_count,
)


def counts_background(kind: type) -> bool | None:
    """Say whether a kind of part counts background as a class; None if it counts nothing."""
    if issubclass(kind, BaseDecodeHead):
        return True
    return False if issubclass(kind, Head | Context | Pooling | Objective) else None


def check_num_classes(model: nn.Module, classes: Sequence[str]) -> None:
    """Refuse a model whose parts differ from the data set in their number of classes.

    The head, context, pooling and objectives of a classifier count the K foreground classes; the
    heads of a segmentor count the 1+K classes with background. Parts without ``num_classes`` and
    classifiers of other packages are not compared.

    Args:
        model: The built model, without wrappers; it may be on the meta device.
        classes: Names of the data set's classes, background first: ``metainfo['classes']``.

    Raises:
        UserInputError: If numbers differ (it names the part, both numbers and what to set), or if
            there are more classes than label maps can hold.
    """
    parts = list(_counting_parts(model))
    if parts:  # it learns from label maps or predicts them
        check_class_count(classes)
    for name, part, with_background in parts:
        found = part.num_classes
        expected = len(classes) - int(not with_background)
        if found is not None and found != expected:
            kind = 'classes with background' if with_background else 'foreground classes'
            raise UserInputError(
                f'model.{name} ({type(part).__name__}) has num_classes={found}, but the data set '
                f'has {expected} {kind} ({_shortened(classes[len(classes) - expected :])}). Set '
                f'model.{name}.num_classes={expected}, or give the data set (metainfo) the classes '
                'of the model.'
            )


def _counting_parts(model: nn.Module) -> Iterator[tuple[str, nn.Module, bool]]:
    """List name and module of the parts that count classes, and whether background is a class."""
    if isinstance(model, CAMClassifier):
        yield 'head', model.head, False
        for name, part in model.head.named_children():
            if isinstance(part, Context | Pooling):
                yield f'head.{name}', part, False
        for i, objective in enumerate(model.objectives):
            yield f'objectives.{i}', objective, False
    for name, part in model.named_modules():
        if isinstance(part, BaseDecodeHead):
            yield name, part, True


def _shortened(names: Sequence[str]) -> str:
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
