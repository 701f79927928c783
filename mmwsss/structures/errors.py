"""Errors that a user can fix."""


class UserInputError(ValueError):
    """Something the user gave (a path, a file, a label) is wrong; the message says what to do.

    The command line tools print it as one line without a traceback.
    """
