"""Writes the number of classes into every part of a config that counts them."""

from mmwsss.engine.config.call_checks import parameters_of
from mmwsss.engine.config.own_datasets import dicts_in
from mmwsss.models.class_counts import counts_background
from mmwsss.registry import MODELS, find_class

# Where a config names networks: its model, and the networks that a label generator loads.
_PLACES = ('model', 'tta_model', 'test_cfg')


def set_num_classes(config: dict, num_foreground: int) -> None:
    """Set ``num_classes`` of all parts that count classes, even if the config leaves it out.

    As in :func:`mmwsss.models.class_counts.check_num_classes`, the class of a part tells whether it
    counts classes and background. Its previous number does not matter.

    Args:
        config: Config of a stage, changed in place.
        num_foreground: Number K of foreground classes.
    """
    for place in _PLACES:
        for part in dicts_in(config.get(place)):
            kind = find_class(part, MODELS) if 'type' in part else None
            if kind is None or 'num_classes' not in parameters_of(kind):
                continue
            if (with_background := counts_background(kind)) is not None:
                part['num_classes'] = num_foreground + int(with_background)
