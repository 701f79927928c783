"""Pictures of weak labels, activation maps, pseudo labels and predictions."""

import mmseg.visualization  # noqa: F401  (a registry does not import the locations of its parent)

from mmwsss.visualization.label_pictures import draw_contours, label_pair
from mmwsss.visualization.sheets import (
    Caption,
    caption_of,
    colorize,
    contact_sheet,
    draw_boxes,
    draw_tags,
    flat_label,
    heat_map,
    overlay,
)

__all__ = [
    'Caption',
    'caption_of',
    'colorize',
    'contact_sheet',
    'draw_boxes',
    'draw_contours',
    'draw_tags',
    'flat_label',
    'heat_map',
    'label_pair',
    'overlay',
]
