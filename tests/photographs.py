"""Twelve small photographs of two classes, as users have them, with everything that describes them.

Names have blanks, umlauts, sub-folders and suffixes of all kinds. A cat is a red box, a dog a blue
one.
"""

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ('cat', 'dog')
_COLORS = {'cat': (220, 40, 40), 'dog': (40, 60, 220)}
# File below images/ and its objects: name and box xyxy.
PHOTOGRAPHS: dict[str, list[tuple[str, tuple[int, int, int, int]]]] = {
    'Müller im Garten/Foto 1.JPG': [('cat', (10, 12, 50, 60))],
    'Müller im Garten/Foto 2.jpeg': [('dog', (30, 8, 80, 50))],
    'Müller im Garten/alt/Foto 2.png': [('cat', (5, 5, 40, 40)), ('dog', (48, 20, 90, 70))],
    'zwei Worte.jpg': [('dog', (20, 20, 60, 70))],
    'klein.PNG': [('cat', (16, 30, 60, 72))],
    'Ärger.webp': [('dog', (8, 10, 44, 44)), ('dog', (50, 40, 90, 72))],
    'a.bmp': [('cat', (40, 10, 88, 60))],
    'b.v2.jpg': [('cat', (10, 30, 50, 74))],
    'c.tif': [('dog', (25, 15, 70, 66))],
    'd.jpg': [('cat', (4, 6, 46, 70)), ('dog', (50, 6, 92, 70))],
    'e.jpg': [('dog', (14, 14, 70, 58))],
    'f.gif': [('cat', (12, 22, 66, 76))],
}
_SIZE = (96, 80)


def image_id(file: str) -> str:
    """Path below the image folder, without suffix."""
    return file.rpartition('.')[0]


IDS = sorted(map(image_id, PHOTOGRAPHS))


def write_photographs(root: Path, *, masks: bool = False) -> Path:
    """Write images/ and tags.json, and masks/ on request."""
    for number, (file, objects) in enumerate(PHOTOGRAPHS.items()):
        draw_photograph(root / 'images' / file, objects, seed=number)
        if masks:
            mask = Image.new('L', _SIZE)
            for name, box in objects:
                ImageDraw.Draw(mask).rectangle(box, fill=1 + CLASSES.index(name))
            path = root / 'masks' / f'{image_id(file)}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            mask.save(path)
    write_tags(root / 'tags.json')
    return root


def draw_photograph(path: Path, objects: list, *, seed: int) -> None:
    """Write one image of coloured boxes on noise."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(70, 130, (*_SIZE[::-1], 3), dtype=np.uint8))
    for name, box in objects:
        ImageDraw.Draw(image).rectangle(box, fill=_COLORS[name])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def tags() -> dict[str, list[str]]:
    """Classes of every image, by id."""
    return {
        image_id(file): sorted({name for name, _ in objects})
        for file, objects in PHOTOGRAPHS.items()
    }


def write_tags(path: Path) -> None:
    """Write the tags of all images as JSON."""
    path.write_text(json.dumps(tags(), ensure_ascii=False), encoding='utf-8')


def write_csv(path: Path) -> None:
    """Write the tags of all images as CSV."""
    lines = [f'{file},{" ".join(tags()[image_id(file)])}' for file in PHOTOGRAPHS]
    path.write_text('\n'.join(['file,tags', *lines]), encoding='utf-8')


def write_class_folders(folder: Path, images: Path) -> None:
    """Copy the images to one folder per class."""
    for file in PHOTOGRAPHS:
        for name in tags()[image_id(file)]:
            (folder / name / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(images / file, folder / name / file)


def write_coco(path: Path) -> None:
    """Write the boxes of all images as COCO JSON, with gaps in the ids."""
    ids = {'cat': 17, 'dog': 18}
    images, annotations = [], []
    for number, (file, objects) in enumerate(PHOTOGRAPHS.items()):
        width, height = _SIZE
        images.append(dict(id=7 * number, file_name=file, width=width, height=height))
        for name, (x1, y1, x2, y2) in objects:
            box = [x1, y1, x2 - x1, y2 - y1]
            entry = dict(image_id=7 * number, category_id=ids[name], bbox=box, iscrowd=0)
            annotations.append(dict(entry, id=len(annotations) + 1, area=box[2] * box[3]))
    categories = [dict(id=number, name=name) for name, number in ids.items()]
    content = dict(images=images, annotations=annotations, categories=categories)
    path.write_text(json.dumps(content), encoding='utf-8')


def write_yolo(folder: Path) -> None:
    """Write the boxes of all images as YOLO txt files."""
    for file, objects in PHOTOGRAPHS.items():
        path = folder / f'{image_id(file)}.txt'
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = []
        for name, (x1, y1, x2, y2) in objects:
            width, height = _SIZE
            box = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height)
            sides = ((x2 - x1) / width, (y2 - y1) / height)
            values = ' '.join(f'{value:.8f}' for value in (*box, *sides))
            rows.append(f'{CLASSES.index(name)} {values}')
        path.write_text('\n'.join(rows))
    (folder / 'classes.txt').write_text('\n'.join(CLASSES))
