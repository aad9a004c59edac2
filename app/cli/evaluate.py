"""`tillsight evaluate`: how good the pipeline is on annotated photos."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from app import decision_study
from app.cli.common import commands, fail, load_settings, out, print_json, progress
from app.decision_study import Trials
from app.networks import load_networks
from models.data.coco import read_coco
from models.data.sample import DataError

app = commands("Evaluate the pipeline on annotated photos.")

ACCEPTS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
MARGINS = (0.0, 0.02, 0.04, 0.08)


@app.callback()
def _group() -> None:
    """Keeps `decisions` a subcommand while it is the only one."""


@app.command()
def decisions(
    data: Annotated[Path, typer.Option(help="COCO set: annotations.json and images/.")],
    views: Annotated[int, typer.Option(min=1, help="Views enrolled per product.")] = 3,
    enrolled: Annotated[
        float, typer.Option(min=0.1, max=1.0, help="Share of the products that are enrolled.")
    ] = 0.7,
    trials: Annotated[int, typer.Option(min=1, help="How often they are drawn.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the drawing.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what each accept threshold and margin would do, to choose the settings by.

    Precision is the share of accepted objects that are right; coverage the share of objects of
    enrolled products that are accepted and right.
    """
    settings = load_settings()
    networks = load_networks(settings)
    try:
        samples = read_coco(data / "annotations.json", data / "images")
        with progress() as bar:
            annotated, detected = decision_study.read_objects(
                list(bar.track(samples, description="photos")),
                networks.detector,
                networks.embedder,
                settings.decisions.crop_padding,
            )
        outcome = decision_study.run_trials(
            annotated,
            detected,
            views=views,
            enrolled=enrolled,
            trials=trials,
            view_weight=settings.decisions.view_weight,
            rng=np.random.default_rng(seed),
        )
    except DataError as error:
        fail(str(error), "bad_data")
    finally:
        networks.close()
    if json:
        print_json(_plain(outcome))
    else:
        _print(outcome)


def _plain(outcome: Trials) -> dict[str, object]:
    return {
        "objects": len(outcome.known),
        "known": int(outcome.known.sum()),
        "best_is_right": float(outcome.right[outcome.known].mean()),
        "accept": [
            {"accept": a, "margin": m, "precision": p, "coverage": c}
            for a in ACCEPTS
            for m in MARGINS
            for p, c in [outcome.accepted(a, m)]
        ],
        "review": [
            {"review": a, "known_kept": kept, "unknown_below": below}
            for a in ACCEPTS
            for kept, below in [outcome.reviewed(a)]
        ],
    }


def _print(outcome: Trials) -> None:
    table = Table(title="accept: precision / coverage by margin; review: kept, below")
    margins = (f"margin {margin:g}" for margin in MARGINS)
    for heading in ("threshold", *margins, "known kept", "unknown below"):
        table.add_column(heading, justify="right")
    for threshold in ACCEPTS:
        cells = [outcome.accepted(threshold, margin) for margin in MARGINS]
        kept, below = outcome.reviewed(threshold)
        table.add_row(
            f"{threshold:.2f}",
            *(f"{precision:.3f} / {coverage:.3f}" for precision, coverage in cells),
            f"{kept:.3f}",
            f"{below:.3f}",
        )
    out().print(table)
    right = float(outcome.right[outcome.known].mean())
    typer.echo(f"{len(outcome.known)} objects, {outcome.known.sum()} known, best right {right:.3f}")
