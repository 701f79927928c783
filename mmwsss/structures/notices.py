"""Lines of a log that people should see, also where the console shows little of it."""

from mmengine.logging import MMLogger

NOTICE = {'notice': True}
"""``extra`` of a log record that is such a line, besides warnings."""


def notice(line: str) -> None:
    """Log a line for people."""
    MMLogger.get_current_instance().info(line, extra=NOTICE)
