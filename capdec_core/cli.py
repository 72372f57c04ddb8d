"""The `capdec` command: a thin door to the package; every command's work is done elsewhere."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from capdec_core.errors import CapdecError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _root() -> None:
    """Caption images with a decoder that has only ever read text: the CapDec book."""


@app.command("score")
def _score(
    references: Annotated[Path, typer.Option(help="JSON: image id to list of captions.", metavar="R.json")],
    candidates: Annotated[
        Path,
        typer.Option(
            help="JSON: image id to caption, or to a list whose first caption is the answer: MiniLM and "
            "self-BLEU read all of them, every other metric the first.",
            metavar="C.json",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    no_semantic: Annotated[
        bool, typer.Option("--no-semantic", help="Leave out MiniLM (400 sentences a second on one core).")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Also write everything, per-image scores too, as JSON.", metavar="FILE"),
    ] = None,
) -> None:
    """Score any system's captions: BLEU, METEOR, ROUGE-L, CIDEr, MiniLM, diversity."""
    from capdec_core.metrics import command

    scores = command.score_files(references, candidates, semantic=not no_semantic, output=output)
    print(command.as_json(scores) if as_json else command.as_table(scores))


def main() -> None:
    """Run the command line; a CapdecError is one message on stderr and exit code 2."""
    try:
        app()
    except CapdecError as error:
        print(f"capdec: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
