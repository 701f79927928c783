"""The lists of a COCO file, with their ids checked."""

from pathlib import Path
from typing import NamedTuple

from mmwsss.structures import UserInputError

_LISTS = ('images', 'annotations', 'categories')


class CocoFile(NamedTuple):
    """A COCO file: entries as written, images and class names by id.

    Ids are strings, because some tools write numbers in one place and strings in another.
    """

    path: Path
    images: dict[str, dict]
    annotations: list[dict]
    classes: dict[str, str]

    def by_image(self) -> dict[str, list[dict]]:
        """Return the annotations of every image that has any, in file order.

        Raises:
            UserInputError: An annotation refers to an image or a category that does not exist.
        """
        found: dict[str, list[dict]] = {}
        for entry in self.annotations:
            image = id_of(entry, 'image_id', self.path)
            if image not in self.images:
                raise wrong(entry, f'its `image_id` {image!r:.80} is not in `images`', self.path)
            if id_of(entry, 'category_id', self.path) not in self.classes:
                raise wrong(entry, 'its `category_id` is not in `categories`', self.path)
            found.setdefault(image, []).append(entry)
        return found

    def names_of(self, ids: dict[str, list[dict]]) -> dict[str, str]:
        """Return ``{id: file_name}`` of images.

        Raises:
            UserInputError: An image has no name, or the name of another image.
        """
        names: dict[str, str] = {}
        seen = set()
        for key, entry in self.images.items():
            if key in ids:
                name = _text(entry, 'file_name', self.path)
                if name in seen:
                    reason = f'{name!r:.80} is the `file_name` of another image'
                    raise wrong(entry, reason, self.path)
                seen.add(name)
                names[key] = name
        return names


def check_coco(content: object, path: Path) -> CocoFile:
    """Return the lists of a COCO file.

    Args:
        content: Content of the JSON file.
        path: The file, for messages.

    Raises:
        UserInputError: A list is missing or of another kind, or an id is missing or occurs twice.
    """
    images, annotations, categories = (_entries(content, key, path) for key in _LISTS)
    names = {key: _text(one, 'name', path) for key, one in _by_id(categories, path).items()}
    return CocoFile(path, _by_id(images, path), annotations, names)


def is_coco(content: object) -> bool:
    """Whether JSON content has the lists of COCO; tags are lists of names and numbers."""
    if not isinstance(content, dict):
        return False
    lists = [content.get(key) for key in _LISTS]
    return any(
        isinstance(one, list) and one != [] and all(isinstance(entry, dict) for entry in one)
        for one in lists
    )


def id_of(entry: dict, key: str, path: Path) -> str:
    """Return an id as a string.

    Raises:
        UserInputError: It is missing, or neither an integer nor a string.
    """
    value = entry.get(key)
    if type(value) not in (int, str):
        raise wrong(entry, f'`{key}` is {value!r:.40}, expected an integer or a string', path)
    return str(value)


def is_crowd(entry: dict) -> bool:
    """Whether an annotation is a group of objects that were not told apart."""
    return entry.get('iscrowd') == 1


def wrong(entry: dict, reason: str, path: Path) -> UserInputError:
    """Build the error about an entry."""
    return UserInputError(
        f'{path}: the entry with the id {entry.get("id")!r:.40}: {reason}. Correct the file.'
    )


def _entries(content: object, key: str, path: Path) -> list[dict]:
    entries = content.get(key) if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise UserInputError(
            f'{path}: `{key}` is missing or not a list of objects. Expected a COCO file with '
            '`images`, `annotations` and `categories`.'
        )
    return entries


def _by_id(entries: list[dict], path: Path) -> dict[str, dict]:
    found = {id_of(entry, 'id', path): entry for entry in entries}
    if len(found) < len(entries):
        raise UserInputError(
            f'{path}: {len(entries) - len(found)} ids occur twice. Restore the file.'
        )
    return found


def _text(entry: dict, key: str, path: Path) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise wrong(entry, f'`{key}` is {value!r:.40}, expected a name', path)
    return value.strip()
