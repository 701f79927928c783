from mmseg.datasets import PascalVOCDataset

from mmwsss.datasets.palette import class_colors


def test_the_first_colours_are_those_of_voc():
    assert class_colors(21) == PascalVOCDataset.METAINFO['palette']


def test_every_class_has_a_colour_of_its_own():
    assert len({tuple(color) for color in class_colors(256)}) == 256
