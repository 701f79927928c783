"""Loops of mmwsss."""

from mmwsss.engine.loops.pseudo_label_loop import PseudoLabelLoop

__all__ = ['PseudoLabelLoop']
