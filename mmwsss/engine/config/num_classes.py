"""The number of classes, written into every part of a config that counts them."""

from mmwsss.engine.config.call_checks import parameters_of
from mmwsss.engine.config.own_datasets import dicts_in
from mmwsss.models.class_counts import counts_background
from mmwsss.registry import MODELS, find_class

# Where a config names networks: the model, and those that a label generator loads.
_PLACES = ('model', 'tta_model', 'test_cfg')


def set_num_classes(config: dict, num_foreground: int) -> None:
    """Set ``num_classes`` of all parts that count classes, also where the config leaves it out.

    Which parts these are, and whether background counts, is told by their class, as in
    :func:`mmwsss.models.class_counts.check_num_classes`. The number that they had does not matter.

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
