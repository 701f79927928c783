import json
from pathlib import Path

import pytest
from PIL import Image

from mmwsss.datasets.label_formats import read_labels
from mmwsss.datasets.weak_labels import Notes


class ImageFolder:
    """Images of 20 x 10 pixels in ``images``, and label files next to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, str] = {}

    def add(self, *names, size=(20, 10)):
        for name in names:
            path = self.root / 'images' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new('RGB', size).save(path)
            self.files[name.rpartition('.')[0]] = str(path)
        return self

    def write(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def read(self, path='labels', **options):
        options = {'classes': ('cat', 'dog'), 'notes': Notes(), **options}
        return read_labels(self.root / path, image_files=self.files, **options)

    def tags(self, path='labels', **options):
        """Names of the objects in every image."""
        objects = self.read(path, **options).objects
        return {img_id: [one.name for one in found] for img_id, found in objects.items()}

    def boxes(self, path='labels', **options):
        """Names and boxes of the objects in every image."""
        objects = self.read(path, **options).objects
        return {img_id: [(one.name, one.box) for one in found] for img_id, found in objects.items()}


@pytest.fixture
def folder(tmp_path):
    return ImageFolder(tmp_path)
