"""Pictures of weak labels, activation maps, pseudo labels and predictions."""

import mmseg.visualization  # noqa: F401  (a registry does not import the locations of its parent)

from mmwsss.visualization.sheets import (
    colorize,
    contact_sheet,
    draw_boxes,
    draw_tags,
    heat_map,
    overlay,
)

__all__ = ['colorize', 'contact_sheet', 'draw_boxes', 'draw_tags', 'heat_map', 'overlay']
