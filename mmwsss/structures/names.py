"""Names that become folders and files, and suggestions for unknown names."""

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from mmwsss.structures.errors import UserInputError

# No separator, no leading dot or dash, no character that a shell or another system refuses.
_NAME = re.compile(r'\w[\w+=@~-]*(\.[\w+=@~-]+)*')
_LONGEST = 100


def check_name(what: str, name: object, *, dots: bool = True) -> None:
    """Refuse a name that would leave its folder, or that no folder can have.

    Args:
        what: What is being named, for the message.
        name: The name.
        dots: Whether it may contain dots between other characters.

    Raises:
        UserInputError: If it is not a plain name.
    """
    fits = isinstance(name, str) and len(name) <= _LONGEST and _NAME.fullmatch(name)
    if not fits or (not dots and '.' in str(name)):
        raise UserInputError(
            f'{what} is named {name!r}, which cannot be the name of a folder. Use at most '
            f'{_LONGEST} letters, digits, "_" and "-"{", with dots in between" if dots else ""}.'
        )


def check_folder(what: str, folder: str | os.PathLike) -> None:
    """Refuse a folder that cannot be created or written to.

    Args:
        what: Its purpose, or the option that names it.
        folder: The folder; it need not exist.

    Raises:
        UserInputError: If it is a file or below one, or is not writable.
    """
    existing = Path(folder).absolute()
    while not os.path.lexists(existing):
        existing = existing.parent
    if not existing.is_dir():
        raise UserInputError(f'{what} = {folder}: {existing} is not a folder. Name another folder.')
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UserInputError(
            f'{what} = {folder}: {existing} cannot be written to. Name another folder, or change '
            'its permissions.'
        )


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """Find up to three known names similar to ``name``, ignoring case."""
    by_lower = {entry.lower(): entry for entry in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=cutoff)
    return [by_lower[entry] for entry in found]
