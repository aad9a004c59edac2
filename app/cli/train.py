"""`tillsight train`: train a network from a recipe. Needs the extra `[train]`."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from app.cli.common import ExitCode, commands, fail

app = commands("Train networks from recipes.")


@app.command()
def detector(
    recipe: Annotated[Path, typer.Option(help="YAML file; see models/train/recipes.")],
    data: Annotated[Path, typer.Option(help="Folder with the unpacked photo collections.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, logs and the export.")] = Path(
        "runs/detector"
    ),
    resume: Annotated[
        Path | None, typer.Option(help="Checkpoint to go on from, such as OUT/last.ckpt.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights to start from, such as those in OUT/export.")
    ] = None,
) -> None:
    """Train the detector; `tillsight bundle export OUT/export` makes a bundle of it."""
    # Imported here: the help page must not need torch.
    from models.data.sample import DataError
    from models.train.detector_data import load_data
    from models.train.detector_recipe import DetectorRecipe
    from models.train.detector_run import train_detector
    from models.train.recipe import RecipeError, load_recipe

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for path in (resume, weights):
        if path is not None and not path.is_file():
            fail(f"{path}: expected a file, found none", "checkpoint_missing")
    if resume is not None and weights is not None:
        fail("give --resume or --weights, not both", "two_starts", ExitCode.USAGE)
    try:
        plan = load_recipe(recipe, DetectorRecipe)
        pictures = load_data(data, plan, out / "cutouts")
    except (RecipeError, DataError) as error:
        fail(str(error), "recipe" if isinstance(error, RecipeError) else "training_data")
    train_detector(plan, pictures, out, resume=resume, weights=weights)


@app.command()
def embedder(
    recipe: Annotated[Path, typer.Option(help="YAML file; see models/train/recipes.")],
    data: Annotated[Path, typer.Option(help="Folder with the unpacked photo collections.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, logs and the export.")] = Path(
        "runs/embedder"
    ),
    resume: Annotated[
        Path | None, typer.Option(help="Checkpoint to go on from, such as OUT/last.ckpt.")
    ] = None,
) -> None:
    """Train the embedder; `tillsight bundle export OUT/export` makes a bundle of it."""
    from models.data.sample import DataError
    from models.train.embedder_data import load_data
    from models.train.embedder_recipe import EmbedderRecipe
    from models.train.embedder_run import train_embedder
    from models.train.recipe import RecipeError, load_recipe

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if resume is not None and not resume.is_file():
        fail(f"{resume}: expected a checkpoint, found none", "checkpoint_missing")
    try:
        plan = load_recipe(recipe, EmbedderRecipe)
        crops = load_data(data, out / "crops.npz", side=plan.stored_side)
    except (RecipeError, DataError) as error:
        fail(str(error), "recipe" if isinstance(error, RecipeError) else "training_data")
    train_embedder(plan, crops, out, resume)


if __name__ == "__main__":
    app()
