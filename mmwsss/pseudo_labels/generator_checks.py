"""What must hold for a generator of pseudo labels: its config, and what it is given."""

from mmseg.structures import SegDataSample

from mmwsss.structures import check_name

_ENTRY_KEYS = {'start', 'background', 'refiners', 'labeler'}
_CAM_FIELDS = ('cams', 'cam_label')


def check_entry(name: str, entry: dict, *, made: list[str], names: list[str]) -> None:
    """Refuse an entry of ``labels`` that cannot be made, or that makes nothing new.

    Args:
        name: Name of the label.
        entry: Its config.
        made: Names of the labels before it.
        names: Names of all labels.

    Raises:
        ValueError: Saying what the entry lacks.
    """
    check_name('a label of `labels`', name)
    if not isinstance(entry, dict):
        raise ValueError(f'Label {name!r} must be a dict of {sorted(_ENTRY_KEYS)}, got {entry!r}.')
    unknown = set(entry) - _ENTRY_KEYS
    if unknown:
        raise ValueError(
            f'Label {name!r} has unknown keys {sorted(unknown)}; known are {sorted(_ENTRY_KEYS)}.'
        )
    start = entry.get('start')
    if (start is None) == (not entry.get('background')):
        raise ValueError(
            f'Label {name!r} needs either `background` (a score beside the CAMs) or `start` (an '
            f'earlier label whose scores it continues from), got keys {sorted(entry)}.'
        )
    if start is None:
        return
    if start not in names:
        raise ValueError(f'Label {name!r} starts from {start!r}, but the labels are {names}.')
    if start not in made:
        raise ValueError(
            f'Label {name!r} starts from {start!r}, which is not made before it. List {start!r} '
            f'first; the order is {names}.'
        )
    if not entry.get('refiners') and not entry.get('labeler'):
        raise ValueError(
            f'Label {name!r} would repeat {start!r}: give it `refiners` or a `labeler`, or leave '
            'it out.'
        )


def check_sample(sample: SegDataSample, size: tuple[int, int], requires: frozenset[str]) -> None:
    """Refuse a sample that lacks a field or does not fit the image.

    Args:
        sample: The data sample of a prediction.
        size: Height and width (H, W) of the image.
        requires: Fields that the parts of the generator need beyond the CAMs.

    Raises:
        ValueError: If a field is missing, sizes do not match, or the CAMs are not finite.
    """
    missing = sorted({*_CAM_FIELDS, *requires} - set(sample.keys()))
    if missing:
        raise ValueError(
            f'The data sample lacks {missing}. Boxes and masks come from the data pipeline, all '
            'else from the classifier, which gives what the `required_fields` in the metainfo of '
            'the sample name: set them to what the generator `requires`.'
        )
    sizes = {'cams': tuple(sample.cams.shape[1:])}
    if 'background_mask' in requires:
        sizes['background_mask'] = tuple(sample.background_mask.shape[-2:])
    for name, found in sizes.items():
        if found != size:
            raise ValueError(
                f'`{name}` must have the size of the image {size}, got {found}. Resize it to the '
                'original image before making labels.'
            )
    if len(sample.cams) != len(sample.cam_label):
        raise ValueError(
            f'`cams` must have one map for each entry of `cam_label`, got {len(sample.cams)} maps '
            f'and {len(sample.cam_label)} entries.'
        )
    if not sample.cams.isfinite().all():
        raise ValueError(
            f'`cams` of {sample.get("img_path", "an image")} must be finite, got NaN or infinity. '
            'Check the checkpoint of the classifier, or whether its training diverged.'
        )
