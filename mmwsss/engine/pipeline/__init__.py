"""Runs stages one after the other, from weak labels to a segmentation model."""
