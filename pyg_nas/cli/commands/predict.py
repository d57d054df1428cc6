"""``pyg-nas predict``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyg_nas.cli.console import print_line, resumable
from pyg_nas.cli.options import (
    Configurations,
    Device,
    import_own,
    named_files,
    refuse,
)
from pyg_nas.cli.progress import progress_bar, working
from pyg_nas.cli.spaces import scored_source
from pyg_nas.compute.device import check_device
from pyg_nas.errors import SettingsError, quoted
from pyg_nas.io.files import check_output
from pyg_nas.io.text import counted

if TYPE_CHECKING:
    from pyg_nas.compute.workers import Workers
    from pyg_nas.data.networks.table import NetworkTable
    from pyg_nas.graphs.search_space import SearchSpace
    from pyg_nas.predictors.storage.header import ModelHeader
    from pyg_nas.predictors.trained import TrainedPredictor
    from pyg_nas.scoring import Architectures, Block


def predict(
    out: Annotated[
        Path,
        typer.Option(
            help="File to write, as CSV, or as Arrow if its name ends with .arrow. Columns: hash, "
            "score, row and, where known, text form (arch), number of operations, parameters of "
            "the trained network, mean and std of the prediction."
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL", help="Folder that `pyg-nas train` wrote; none with --recipe."
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="TABLE",
            help="Table or graph file whose cells are scored; for whole networks also a folder of "
            "ONNX files, or file.py:function that builds them.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="transfer: score by the shipped tables, without a model. MODULE:CLASS: your own "
            "predictor, if the model was trained with one."
        ),
    ] = None,
    configurations: Configurations = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="Score this source in place of TABLE: a search space, such as nasbench101, "
            "or your own space as file.py:NAME; a graph file (.jsonl, or .arrow, which is "
            "read faster); or file.py:function, a function that yields cells or arrays of cells. "
            "Scores of a space are written best first. Scores of a file or function are written "
            "in its order, as are all scores with --backend or in an Arrow file."
        ),
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Write only this number of best architectures.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="Where blocks are scored: sequential, threading, loky, ray or dask.")
    ] = "sequential",
    workers: Annotated[
        int,
        typer.Option(
            help="Blocks that are scored, or networks that are read, at the same time; -1 for one "
            "on each core."
        ),
    ] = 1,
    device: Device = "auto",
) -> None:
    """Score the architectures of a table, of a whole search space or of a file of any length.

    With `--recipe transfer` no model is needed: cells are scored without a label of their task,
    from the measurements of other tasks.

    If scoring of a file or a function, or with --top, was stopped, the same command resumes it from
    OUT.parts. This folder, removed at the end, needs as much disk as the output.

    Example: pyg-nas predict model --space nasbench101 --top 100 --out best.csv
    """
    from pyg_nas.compute.workers import Workers
    from pyg_nas.data.protocols.label_texts import label_sentence
    from pyg_nas.data.tables.sources import check_table_file
    from pyg_nas.graphs.registry import find_space, space_names
    from pyg_nas.predictors.storage.folder import settings_checksum
    from pyg_nas.predictors.storage.header import ModelHeader
    from pyg_nas.predictors.trained import TrainedPredictor
    from pyg_nas.scoring.output import CSV, check_score_format
    from pyg_nas.scoring.source import check_source

    check_output(out, table, model, configurations, *named_files(table, space, recipe))
    if recipe is not None and ":" in recipe:
        import_own(recipe)
        recipe = None
    if recipe is not None:
        model, table = None, _table_without_model(recipe, model, table)
    elif model is None:
        raise SettingsError("give a model folder, or --recipe transfer")
    if (table is None) == (space is None):
        raise SettingsError("give either a table or --space, one of them")
    of_networks = table is not None and _lists_networks(table)
    if not of_networks:
        refuse({"--configurations": configurations}, "is for file.py:function, in place of TABLE")
    pool = Workers(backend, 1 if of_networks and backend == "sequential" else workers)
    check_device(device)
    ending = check_score_format(out)
    if space is not None:
        space = scored_source(space)
        check_source(space)
    elif table is not None and not of_networks:
        check_table_file(table)
    whole_space = find_space(space) if space in space_names() else None
    in_memory = table is not None or whole_space is not None
    is_sorted = in_memory and top is None and backend == "sequential" and ending == CSV

    def listed(header: ModelHeader | None) -> Architectures:
        if table is not None:
            return _listed_table(table, configurations, header, workers)
        from pyg_nas.scoring.blocks import space_architectures

        assert whole_space is not None
        with working("listing the space"):
            return space_architectures(whole_space)

    if model is None:
        if not is_sorted:
            raise SettingsError(
                "the recipe transfer scores a table or a whole space into a CSV file; --top, "
                "--backend and sources of any length need a model"
            )
        _predict_sorted(None, listed(None), out)
        return
    header = ModelHeader.read(model)
    if whole_space is not None:
        header.check_space(whole_space)
    known = listed(header) if table is not None or is_sorted else None
    loaded = TrainedPredictor.from_header(header, device)
    if known is not None and is_sorted:
        _predict_sorted(loaded, known, out)
    else:
        source = str(space or table)
        blocks = _blocks(loaded, known, source, header.space or whole_space)
        settings = {"model": settings_checksum(header.settings), "source": source}
        _predict_stream(loaded, blocks, out, top, pool, settings)
    label = None if loaded.protocol is None else loaded.protocol.label
    if label is not None and loaded.unit:
        print_line(f"score: {label_sentence(label, loaded.unit)}")


def _table_without_model(recipe: str, first: Path | None, second: str | None) -> str | None:
    """Return the table of a recipe that needs no model, whose argument comes first."""
    if recipe != "transfer":
        raise SettingsError(
            f"only the recipe transfer predicts without training, got {quoted(recipe)}"
        )
    if second is not None:
        raise SettingsError(f"with --recipe there is no model: got both {first} and {second}")
    return None if first is None else str(first)


def _lists_networks(table: str) -> bool:
    """Whether it is a folder of ONNX files or a builder of networks, and no table."""
    path = Path(table)
    return path.is_dir() or path.suffix == ".py" or (":" in table and not path.is_file())


def _listed_table(
    table: str, configurations: Path | None, header: ModelHeader | None, workers: int
) -> Architectures:
    """The architectures of a table or of a list of whole networks, which the model can predict.

    They have the table's parameters if those are of the networks of the model.
    """
    from pyg_nas.data.tables.sources import open_any_table
    from pyg_nas.data.tables.table import Table
    from pyg_nas.predictors.networks.lists import read_candidates
    from pyg_nas.scoring.blocks import Architectures

    path = Path(table)
    opened: Table | NetworkTable
    if not _lists_networks(table):
        opened = open_any_table(path, None if header is None else header.graph_space)
    else:
        with progress_bar("reading networks") as advance:
            opened = read_candidates(table, configurations, advance, workers)
    if header is not None:
        header.check_space(opened.space)
    if not isinstance(opened, Table):
        return Architectures(opened.networks, opened.hashes, opened.names)
    counts = None
    if header is None or header.network in (None, opened.network_size):
        known = not (opened.trainable_parameters < 0).any()
        counts = opened.trainable_parameters if known else None
    return Architectures(opened.cells, opened.hashes, opened.texts or (), counts)


def _predict_sorted(model: TrainedPredictor | None, scored: Architectures, out: Path) -> None:
    """Write the scores of a table or of a whole space, the best first."""
    import numpy as np

    from pyg_nas.data.tables.scores_file import write_scores
    from pyg_nas.graphs.cell_array import CellArray
    from pyg_nas.scoring.columns import architecture_columns
    from pyg_nas.scoring.scores import predicted_columns

    cells, rows = scored.graphs, np.arange(len(scored.graphs))
    with working(f"scoring {counted(len(cells), 'architecture')}"):
        if model is None:
            if not isinstance(cells, CellArray):
                raise SettingsError("the recipe transfer scores cells, got whole networks")
            from pyg_nas.predictors.transfer.scores import transfer_scores

            further = {"score": transfer_scores(cells)}
        else:
            further = predicted_columns(model.estimator, scored)
        scores = further.pop("score")
    larger_is_better = model is None or model.larger_is_better
    with working(f"writing {counted(len(cells), 'score')}"):
        described = architecture_columns(scored, rows, None if model is None else model.network)
        hashes = scored.hashes_of(rows)
        write_scores(out, hashes, scores, larger_is_better, {**described, **further})
    print_line(f"{counted(len(cells), 'score')} in {out}, the best first")


def _blocks(
    model: TrainedPredictor, known: Architectures | None, source: str, space: SearchSpace | None
) -> Iterator[Block]:
    """Return the blocks of architectures in memory, or of a source that is read in parts."""
    from pyg_nas.scoring import block_size, open_blocks, stored_blocks

    size = block_size(model.estimator)
    if known is not None:
        return stored_blocks(known, size)
    if space is None:
        raise SettingsError(
            f"{source}: cannot be read without its space, which the model does not store (space_ "
            f"among the values of its fitted_state); give a table or the name of a space"
        )
    return open_blocks(source, space, size)


def _predict_stream(
    model: TrainedPredictor,
    blocks: Iterator[Block],
    out: Path,
    top: int | None,
    workers: Workers,
    settings: dict[str, str],
) -> None:
    """Write the scores of a source of any length in its order, or the best of them."""
    from pyg_nas.predictors.predictor_version import predictor_version
    from pyg_nas.scoring import ScoringTask, block_size, score_stream

    task = ScoringTask(
        model.estimator,
        model.larger_is_better,
        top,
        threads=None if workers.backend == "sequential" else 1,
        network=model.network,
    )
    with resumable(f"{out}.parts"), progress_bar("scoring, architectures") as advance:
        total = score_stream(
            task,
            blocks,
            out,
            settings={
                **settings,
                "predictor": predictor_version(model.estimator),
                "block": str(block_size(model.estimator)),
            },
            workers=workers,
            progress=advance,
        )
    if top is None:
        print_line(f"{counted(total, 'score')} in {out}, in the order of {settings['source']}")
    else:
        print_line(f"the best {min(top, total):,} of {counted(total, 'score')} in {out}")
