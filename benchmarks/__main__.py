"""`python -m benchmarks [PART ...]`: run parts of the suite, write each as JSON and all of them as Markdown."""

import importlib
import sys
import time
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.report import write_report
from capdec_core.device import check_device
from capdec_core.errors import CapdecError
from capdec_core.files import write_atomic, write_json
from capdec_core.paths import RESULTS

PARTS = ("training", "paper", "losses", "profile", "grid", "decoding", "scoring", "encoding", "growth")
"""Names of the parts, in the order they are run: modules of this package with `run(device, quick)`."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bench(
    parts: Annotated[list[str] | None, typer.Argument(help=f"Of: {', '.join(PARTS)}. All if none.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    quick: Annotated[bool, typer.Option("--quick", help="Smallest sizes, to see that it runs.")] = False,
    output: Annotated[Path, typer.Option(help="Folder of the results.")] = RESULTS / "benchmarks",
) -> None:
    """Measure this project's code against the reference recipe and print the ratios."""
    check_device(device)
    chosen = parts or list(PARTS)
    if unknown := sorted(set(chosen) - set(PARTS)):
        raise CapdecError(f"no part {unknown[0]!r}; the parts are: {', '.join(PARTS)}")
    failed = [part for part in PARTS if part in chosen and not run_part(part, device, quick, output)]
    report = write_report(output, PARTS)
    print(report.read_text(encoding="utf-8"))
    if failed:
        raise CapdecError(f"not run: {', '.join(failed)}; the reasons are in {report}")


def run_part(part: str, device: str, quick: bool, output: Path) -> bool:
    """Run one part and write its JSON file, its reason where it failed; return whether it ran.

    A part that fails does not stop the others: what went wrong is printed and written down.
    """
    from benchmarks.measure import machine

    print(f"{part} ...", file=sys.stderr, flush=True)
    began = time.perf_counter()
    record: dict[str, Any] = {"part": part, "quick": quick, "machine": machine(device)}
    try:
        result = importlib.import_module(f"benchmarks.{part}").run(device, quick)
    except Exception as error:
        traceback.print_exc()
        record["failed"] = f"{type(error).__name__}: {error}"
    else:
        for name, content in result.pop("files", {}).items():
            write_atomic(output / name, content)
        record["result"] = result
    write_json(output / f"{part}.json", record | {"seconds": time.perf_counter() - began})
    return "failed" not in record


def main() -> None:
    """Run the command line; a CapdecError is one message on stderr and exit code 2."""
    try:
        app()
    except CapdecError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
