from pathlib import Path

import numpy as np
import pytest
from PIL import Image

OBJECT = """
  <object>
    <name>{name}</name><difficult>{difficult}</difficult>
    <bndbox><xmax>{box[2]}</xmax><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin><ymax>{box[3]}</ymax></bndbox>
    {part}
  </object>"""
PART = """
    <part>
      <name>head</name>
      <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox>
    </part>"""


class VOCFolder:
    """A tiny data set in VOC layout with images of 10 x 8 pixels."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ('JPEGImages', 'Annotations', 'SegmentationClass', 'lists'):
            (root / folder).mkdir()
        self.ids = []

    def add(self, img_id, *objects, xml=True, mask=True, size=(10, 8)):
        """Add an image (size is width, height) with objects (name, box[, difficult])."""
        image = np.full((size[1], size[0], 3), len(self.ids) * 40, dtype=np.uint8)
        Image.fromarray(image).save(self.root / 'JPEGImages' / f'{img_id}.jpg')
        if mask:
            label = Image.fromarray(np.full((size[1], size[0]), 3, dtype=np.uint8))
            label.save(self.root / 'SegmentationClass' / f'{img_id}.png')
        if xml:
            self.write_xml(img_id, *objects, size=size)
        self.ids.append(img_id)
        (self.root / 'lists/train.txt').write_text('\n'.join(self.ids) + '\n\n')
        return self

    def write_xml(self, img_id, *objects, size=(10, 8)):
        written = [
            OBJECT.format(
                name=name,
                box=box,
                difficult=int(bool(difficult)),
                part=PART if name == 'person' else '',
            )
            for name, box, *difficult in objects
        ]
        text = f'<size><width>{size[0]}</width><height>{size[1]}</height></size>'
        path = self.root / 'Annotations' / f'{img_id}.xml'
        path.write_text(f'<annotation>{text}{"".join(written)}</annotation>')


@pytest.fixture
def voc(tmp_path):
    root = tmp_path / 'voc'
    root.mkdir()
    return VOCFolder(root)


@pytest.fixture
def notes(monkeypatch):
    """Collect the warnings of the data set."""
    logged = []
    import mmwsss.datasets.weak_labels as weak_labels

    monkeypatch.setattr(weak_labels, 'print_log', lambda message, *_: logged.append(message))
    return logged
