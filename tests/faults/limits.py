"""Limits of a process, to be set before a tool starts."""

import resource


def files_no_larger_than(size: int) -> None:
    """Let writing beyond a size fail, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
