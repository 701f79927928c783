"""Checks a user's description of the data, key by key."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from mmwsss.datasets.label_formats import FORMATS
from mmwsss.datasets.true_masks import mask_values
from mmwsss.structures import UserInputError, check_class_count
from mmwsss.structures.names import nearest

_BACKGROUND = 'background'
_DEFAULTS = {'images': 'images', 'train': None, 'val': None, 'format': None}
_REQUIRED = ('root', 'classes', 'labels')
_KEYS = (*_REQUIRED, *_DEFAULTS, 'masks')
_MASK_KEYS = ('path', 'classes', 'others')


def checked_texts(data: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the keys with string values, with defaults filled in.

    Raises:
        UserInputError: ``data`` is not a dict, a key is unknown or missing, a value is not a
            string, or the format is unknown.
    """
    if not isinstance(data, Mapping):
        raise UserInputError(f'Expected `data` to be a dict, got {data!r:.80}.')
    _check_keys('data', data, _KEYS)
    if lacking := [key for key in _REQUIRED if data.get(key) is None]:
        raise UserInputError(
            f'`data` lacks `{lacking[0]}`; it needs {", ".join(f"`{key}`" for key in _REQUIRED)}.'
        )
    texts = {key: data.get(key, _DEFAULTS.get(key)) for key in ('root', 'labels', *_DEFAULTS)}
    for key, text in texts.items():
        if text is None and key in _DEFAULTS and _DEFAULTS[key] is None:
            continue
        if not isinstance(text, str) or not text:
            raise UserInputError(f'Expected `data.{key}` to be a path, got {text!r:.80}.')
    if texts['format'] is not None and texts['format'] not in FORMATS:
        raise UserInputError(
            f'Expected `data.format` to be one of {FORMATS}, got {texts["format"]!r:.80}.'
        )
    return texts


def checked_classes(classes: object) -> dict[str, str]:
    """Map the name of every class in the labels to the user's name for it.

    Raises:
        UserInputError: ``classes`` is neither a list nor a dict of names, a name occurs twice or is
            ``background``, or there are more classes than label maps hold.
    """
    if isinstance(classes, Mapping):
        pairs = list(classes.items())
    elif isinstance(classes, list | tuple):
        pairs = [(name, name) for name in classes]
    else:
        pairs = []
    if not pairs or not all(isinstance(name, str) and name.strip() for p in pairs for name in p):
        raise UserInputError(
            'Expected `data.classes` to be names of the foreground classes, such as '
            f"('cat', 'dog'), or a dict from the names in the labels to your own, got "
            f"{classes!r:.80}. A single class needs a comma: ('cat',)."
        )
    composed = [[unicodedata.normalize('NFC', name.strip()) for name in pair] for pair in pairs]
    names: dict[str, str] = dict(composed)
    if _BACKGROUND in {*names, *names.values()}:
        raise UserInputError(
            f'`data.classes` names {_BACKGROUND!r}, which is added automatically. Leave it out.'
        )
    if len(names) < len(composed):
        raise UserInputError(f'`data.classes` has a name twice: {classes!r:.200}. Keep one.')
    check_class_count((_BACKGROUND, *dict.fromkeys(names.values())))
    return names


def checked_masks(
    masks: object, names: Mapping[str, str]
) -> tuple[str | None, dict[int, int] | None]:
    """Return the folder of the true masks and the meaning of their values.

    Args:
        masks: None, a folder, or ``dict(path=..., classes=(...), others=...)``.
        names: Name of each class in labels and masks, mapped to the user's name for it.

    Raises:
        UserInputError: ``masks`` is none of these, or its classes do not match.
    """
    if masks is None or (isinstance(masks, str) and masks):
        return masks, None
    if not isinstance(masks, Mapping) or not isinstance(masks.get('path'), str):
        raise UserInputError(
            'Expected `data.masks` to be a folder, or dict(path=<folder>, classes=<names in the '
            f"order of the masks' values>, others='background' or 'ignore'), got {masks!r:.80}."
        )
    _check_keys('data.masks', masks, _MASK_KEYS)
    classes = masks.get('classes')
    if classes is None:
        if 'others' in masks:
            raise UserInputError('`data.masks` has `others` without `classes`. Name the classes.')
        return masks['path'], None
    if not isinstance(classes, list | tuple) or not all(isinstance(n, str) for n in classes):
        raise UserInputError(
            f'Expected `data.masks.classes` to be names of classes, got {classes!r:.80}.'
        )
    classes = [unicodedata.normalize('NFC', name.strip()) for name in classes]
    # As in the classes of the data, the background comes first unless it has another value.
    of_masks = classes if _BACKGROUND in classes else [_BACKGROUND, *classes]
    values = mask_values(
        of_masks,
        (_BACKGROUND, *dict.fromkeys(names.values())),
        others=masks.get('others', _BACKGROUND),
        names={_BACKGROUND: _BACKGROUND, **names},
    )
    return masks['path'], values


def _check_keys(what: str, found: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := [key for key in found if key not in known]:
        near = nearest(unknown[0], known)
        hint = f' Did you mean `{near[0]}`?' if near else ''
        raise UserInputError(
            f'`{what}` has the unknown key `{unknown[0]}`; the keys are {", ".join(known)}.{hint}'
        )
