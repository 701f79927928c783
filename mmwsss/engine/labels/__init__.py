"""Makes pseudo labels for a whole split and manages their files."""

from mmwsss.engine.labels.pseudo_label_loop import PseudoLabelLoop

__all__ = ['PseudoLabelLoop']
