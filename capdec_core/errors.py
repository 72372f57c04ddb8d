"""The one exception that a user is meant to read."""


class CapdecError(Exception):
    """Bad input, a missing file or an unusable machine.

    The message says what was wrong, where, and what to do. The command line prints it without a
    traceback and exits with code 2.
    """
