"""The `capdec` command: a thin door to the package; every command's work is done elsewhere."""

import sys

import typer

from capdec_core.errors import CapdecError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _root() -> None:
    """Caption images with a decoder that has only ever read text: the CapDec book."""


def main() -> None:
    """Run the command line; a CapdecError is one message on stderr and exit code 2."""
    try:
        app()
    except CapdecError as error:
        print(f"capdec: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
