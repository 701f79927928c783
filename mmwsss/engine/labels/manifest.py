"""The note next to labels that says what made them and whether they are complete."""

from pathlib import Path

from mmengine.dist import is_main_process

from mmwsss.engine.state.versions import package_versions
from mmwsss.structures import UserInputError, read_json, write_json

# The places of data and checkpoint and the package versions may change: no label depends on them.
_NOTED = {'checkpoint', 'chosen', 'split', 'versions'}


class LabelManifest:
    """Reads and writes ``manifest.json``; only the first rank writes.

    Args:
        folder: Folder of the labels.
        content: What made the labels, as JSON values.
    """

    def __init__(self, folder: Path, content: dict) -> None:
        self.path = folder / 'manifest.json'
        self._content = {**content, 'versions': package_versions()}

    def write(self, *, complete: bool) -> None:
        """Write the file, recording whether all labels are there."""
        if is_main_process():
            write_json(self.path, {**self._content, 'complete': complete})

    def says_complete(self) -> bool:
        """Whether the file is intact and says that the same settings made all labels."""
        try:
            found = read_json(self.path)
        except UserInputError:
            return False
        wanted = {**self._content, 'complete': True}
        if not isinstance(found, dict) or found.keys() != wanted.keys():
            return False
        compared = wanted.keys() - _NOTED
        # `True == 1`, so types count as well.
        return all(
            type(found[key]) is type(wanted[key]) and found[key] == wanted[key] for key in compared
        )
