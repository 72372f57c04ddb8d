"""The `capdec` command: a thin door to the package; every command's work is done elsewhere."""

import sys
import warnings
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


def _device(device: str) -> str:
    if device != "auto":
        return device
    from capdec_core.planning.auto import device_of

    return device_of(device)


ProfileName = Annotated[str, typer.Option(help="The scale: a file of capdec_core/profiles.")]
DeviceName = Annotated[
    str,
    typer.Option(
        help="cpu, cuda, cuda:N, cuda:0,1 (several), or auto: a GPU where there is one.", callback=_device
    ),
]
OneDevice = Annotated[
    str,
    typer.Option("--device", help="cpu, cuda, cuda:N, or auto: a GPU where there is one.", callback=_device),
]
ProfileOrAuto = Annotated[
    str, typer.Option("--profile", help="The scale, or auto: what this machine can carry.")
]


@app.command("plan")
def _plan(
    profile: ProfileOrAuto = "auto",
    device: DeviceName = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Say what a run of the book would take here: cells, hours by a short timing, disk, downloads."""
    from capdec_core.planning import command, tell

    plan, why = command.planned(profile, device)
    print(tell.as_json(plan) if as_json else tell.as_text(plan, why))


@app.command("reproduce")
def _reproduce(profile: ProfileOrAuto = "auto", device: DeviceName = "auto") -> None:
    """Run the book, after saying what it takes: the cells that are missing, the notebooks, the HTML report."""
    from capdec_core.reproduce import reproduce

    print(f"Report: {reproduce(profile, device).as_uri()}")


@app.command("study")
def _study(name: str, profile: ProfileName = "scenes", device: DeviceName = "cpu") -> None:
    """Run one study: its missing cells and its notebook."""
    from capdec_core.reproduce import study

    print(f"Executed notebook: {study(name, profile, device)}")


@app.command("report")
def _report(profile: ProfileName = "scenes", device: DeviceName = "cpu") -> None:
    """Render the executed notebooks as HTML, or the reference results where none were executed."""
    from capdec_core.reproduce import report

    print(f"Report: {report(profile, device).as_uri()}")


@app.command("reference")
def _reference(profile: ProfileName = "scenes", device: DeviceName = "cpu") -> None:
    """Keep a finished book's results in results/reference, from which `report` builds anywhere."""
    from capdec_core.reference.write import write_reference

    print(f"Reference results: {write_reference(profile, device)}")


cells = typer.Typer(no_args_is_help=True)
app.add_typer(cells, name="cells", help="Carry finished cells from one machine to another.")
Archive = Annotated[Path, typer.Argument(help="A .zip file of cells.")]


@cells.command("pack")
def _pack(archive: Archive, profile: ProfileName = "scenes", device: DeviceName = "cpu") -> None:
    """Write every finished cell of a profile into an archive."""
    from capdec_core import packing

    print(packing.pack_profile(profile, device, archive))


@cells.command("merge")
def _merge(archive: Archive, profile: ProfileName = "scenes", device: DeviceName = "cpu") -> None:
    """Take the cells of an archive into results/cells; what differs in code, configuration or content is refused."""
    from capdec_core import packing

    print(packing.merge_profile(profile, device, archive))


@app.command("cell")
def _cell(
    names: Annotated[list[str], typer.Argument(help="Names of cells.", metavar="CELL...")],
    profile: ProfileName = "scenes",
    device: DeviceName = "cpu",
) -> None:
    """Compute cells of a profile by name, in one program; what the store has is left alone, and nothing is scored."""
    from capdec_core.workflow.program import compute

    print(compute(names, profile, device))


@app.command("workflow-plan", hidden=True)
def _workflow_plan(output: Path, profile: ProfileName = "scenes", device: DeviceName = "cpu") -> None:
    """Make what a profile's cells share, and write which programs of cells are missing: a workflow's first job."""
    from capdec_core.workflow.jobs import make_plan

    print(f"{output}: {len(make_plan(output, profile, device).programs)} programs of cells are missing")


@app.command("workflow", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def _workflow(
    context: typer.Context,
    profile: ProfileName = "scenes",
    device: DeviceName = "cpu",
    cluster: Annotated[
        str | None,
        typer.Option(help="A scheduler's Snakemake profile: slurm, or a folder.", metavar="NAME"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show the jobs and start none.")] = False,
) -> None:
    """Run the book by jobs, on this machine's GPUs or cores or through a scheduler; further options are Snakemake's."""
    from capdec_core.workflow.start import start

    start(profile, device, cluster, dry_run, context.args)


@app.command("miniature")
def _miniature(profile: ProfileName = "scenes") -> None:
    """Train the profile's miniature CLIP anew and write it, with its model card, to data/miniature."""
    from capdec_core.encoders.card import make_miniature

    print(make_miniature(profile))


@app.command("towers")
def _towers(device: OneDevice = "cpu") -> None:
    """Train the heads of the encoder `towers` anew on Flickr8k and write them, with their card, to data/towers."""
    from capdec_core.encoders.towers_card import make_towers

    print(make_towers(device))


@app.command("gap")
def _gap(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="A .npy array (2, n, d), image and text embeddings in pairs; or two arrays, images (n, d) and "
            "texts (n, d) or (n, captions, d).",
            metavar="[IMAGES] [TEXTS]",
        ),
    ] = None,
    profile: ProfileName = "scenes",
    device: OneDevice = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure the modality gap: of embeddings in files, or of a profile's encoder on its test split."""
    from capdec_core import gap

    found = gap.anatomy_of_files(files, profile) if files else gap.anatomy_of_profile(profile, device)
    print(gap.as_json(found) if as_json else gap.as_table(found))


@app.command("caption")
def _caption(
    pictures: Annotated[list[Path], typer.Argument(help="Picture files.", metavar="PICTURE...")],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Another captioner than the shipped one: a folder that `capdec checkpoint` made.",
            metavar="FOLDER",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a line a picture.")] = False,
) -> None:
    """Say in a sentence what each picture shows.

    Formats: AVIF, BMP, GIF, JPEG, JPEG 2000, PNG, TIFF and WebP. A picture is turned as its EXIF data say; of an
    animation the first frame is read; what is transparent stands on white. A picture that cannot be read, or has more
    than 80 million pixels, is refused with the reason, and the others go on.

    Exit code: 0; 1 where a picture was refused; 2 where nothing could be done, for lack of a captioner for one.
    """
    from capdec_core.captioning import command, load_checkpoint, load_shipped

    warnings.filterwarnings("ignore", module=r"PIL\.")  # what Pillow mends is none of the reader's business
    captioner = load_checkpoint(checkpoint) if checkpoint else load_shipped()
    found = []
    for answer in command.answers(captioner, pictures):
        found.append(answer)
        if not as_json:
            print(command.as_line(answer), file=sys.stderr if answer.refused else sys.stdout, flush=True)
    if as_json:
        print(command.as_json(captioner, found))
    if any(answer.refused for answer in found):
        raise typer.Exit(1)


@app.command("checkpoint")
def _checkpoint(
    cell: Annotated[str, typer.Argument(help="Name of a trained and scored cell in results/cells.")],
    output: Annotated[Path, typer.Argument(help="Folder to write.", metavar="FOLDER")],
    profile: ProfileName = "scenes",
) -> None:
    """Make of a trained cell a captioner that `capdec caption` reads: weights, tokenizer, model card."""
    from capdec_core.captioning.export import export_cell

    print(f"Captioner: {export_cell(cell, profile, output)}")


@app.command("import-checkpoint")
def _import_checkpoint(
    file: Annotated[Path, typer.Argument(help="A .pt file of CapDec or ClipCap.", metavar="FILE.pt")],
    output: Annotated[Path, typer.Argument(help="Captioner to write.", metavar="OUTPUT.safetensors")],
    heads: Annotated[
        int | None,
        typer.Option(help="Heads of a transformer mapper, which no shape tells; 8 in the published code."),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="mlp or transformer.")] = None,
    prefix_length: Annotated[int | None, typer.Option(help="Vectors of the prefix.")] = None,
    clip_length: Annotated[int | None, typer.Option(help="Vectors that a transformer reads.")] = None,
    layers: Annotated[int | None, typer.Option(help="Layers of a transformer.")] = None,
    language_model: Annotated[str, typer.Option(help="The GPT-2 that it speaks through, by name.")] = "gpt2",
) -> None:
    """Make of a published checkpoint a captioner of this project; what needs pickle is refused.

    All but the heads is found from the shapes of the tensors. What is stated must be what they say.
    """
    from capdec_core.captioning.importing import import_file
    from capdec_core.imported.settings import StatedShape

    print(
        import_file(
            file, output, StatedShape(kind, prefix_length, clip_length, heads, layers), language_model
        )
    )


data = typer.Typer(no_args_is_help=True)
app.add_typer(data, name="data", help="Fetch the real data sets, and say what of them is here.")
SomeParts = Annotated[list[str] | None, typer.Argument(help="Parts; all by default.", metavar="PART")]


@data.command("list")
def _data_list() -> None:
    """List every part of every data set: its size, its licence, how much of it is here."""
    from capdec_core.downloads import command

    print(*command.as_list(), sep="\n")


@data.command("fetch")
def _data_fetch(parts: Annotated[list[str], typer.Argument(help="Parts.", metavar="PART")]) -> None:
    """Fetch what is missing of some parts; a fetch that was cut off goes on where it stopped."""
    from capdec_core.downloads import command

    print(*command.fetch(parts), sep="\n")


@data.command("verify")
def _data_verify(parts: SomeParts = None) -> None:
    """Check the content of what is here; exit code 2 where something is damaged or not complete."""
    from capdec_core.downloads import command

    for line in command.verify(parts or []):
        print(line, flush=True)


@data.command("where")
def _data_where(parts: SomeParts = None) -> None:
    """Say where parts are, or where they would be put."""
    from capdec_core.downloads import command

    print(*command.where(parts or []), sep="\n")


def main() -> None:
    """Run the command line; a CapdecError, or a package that is missing, is one message on stderr and exit code 2."""
    try:
        app()
    except CapdecError as error:
        print(f"capdec: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except ModuleNotFoundError as error:
        if str(error.name).startswith("capdec_core"):
            raise
        remedy = "`make env` in a checkout, or pip install 'capdec_core[book]', brings what makes the book"
        print(f"capdec: the package {error.name} is not installed; {remedy}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
