"""The note next to labels that says what made them and whether they are complete."""

import json
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
        noted = {**content, 'versions': package_versions()}
        self._content = json.loads(json.dumps(noted))  # of the types that reading it gives

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
        if any(type(found[key]) is not type(wanted[key]) for key in wanted):
            return False
        return all(found[key] == wanted[key] for key in wanted.keys() - _NOTED)
