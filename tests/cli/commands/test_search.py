"""``pyg-nas search``: the folder that it leaves, resuming, and a user's errors."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from pyg_nas.cli.commands.search import search
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.registry import find_space
from pyg_nas.measure import Executor, get_task
from pyg_nas.search.outcome import Outcome
from pyg_nas.search.search_folder.ledger import Ledger
from tests.cli.command import pyg_nas
from tests.measure.tasks.test_by_name import make_folder

app = typer.Typer()
app.command()(search)

pytestmark = pytest.mark.usefixtures("undrawn")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_search_leaves_everything_in_its_folder(
    table_path: Path, tmp_path: Path, undrawn: pytest.MonkeyPatch
) -> None:
    undrawn.undo()
    out = tmp_path / "out"
    arguments = (
        table_path,
        "--out",
        out,
        "--method",
        "random",
        "--start",
        20,
        "--refit",
        5,
        "--rounds",
        2,
    )
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    table = Table.load(table_path)
    answer = json.loads((out / "answer.json").read_text())
    lines = [json.loads(line) for line in (out / "queries.jsonl").read_text().splitlines()]
    assert answer["queries"] == len(lines) == 30
    best = max(lines, key=lambda line: float(line["accuracy"]))
    assert answer["answer"] == best
    assert Cell.from_dict(best).hash == best["hash"]
    row = table.index_of(best["hash"])
    truth = table.metrics[:, -1, :2, 1, 3].astype(float).mean(axis=1)
    assert answer["simple_regret"] == pytest.approx(truth.max() - truth[row], abs=1e-9)
    assert answer["regret_against"]["kind"] == "mean test accuracy"
    assert answer["training_seconds"] == pytest.approx(sum(line["seconds"] for line in lines))
    for name in ("answer.svg", "curves.svg", "pareto-parameters.svg", "pareto-seconds.svg"):
        assert "<svg" in (out / name).read_text()
    report = (out / "report.md").read_text()
    assert best["hash"] in report
    assert "mean test accuracy" in report
    before = (out / "queries.jsonl").read_bytes()
    again = run(*arguments)
    assert again.exit_code == 0
    assert (out / "queries.jsonl").read_bytes() == before
    assert json.loads((out / "answer.json").read_text()) == answer


def test_a_predictor_search_with_constraints(table_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    table = Table.load(table_path)
    limit = int(sorted(table.trainable_parameters)[200])
    result = run(
        table_path, "--out", out, "--n", 40, "--k", 4, "--recipe", "paper",
        "--max-params", limit, "--max-training-time", 180, "--device", "cpu",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (out / "queries.jsonl").read_text().splitlines()]
    assert len(lines) == 44
    assert all(line["parameters"] <= limit for line in lines)
    assert [bool(line["why"]) for line in lines] == [False] * 40 + [True] * 4
    answer = json.loads((out / "answer.json").read_text())
    assert answer["answer"]["seconds"] <= 180
    settings = json.loads((out / "settings.json").read_text())
    assert settings["strategy_settings"]["predictor"] == "recipe paper"


def test_ctrl_c_keeps_what_was_trained(
    table_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    arguments = ("--method", "evolution", "--n", 100, "--k", 10)
    answer = Ledger.answer

    def interrupted(self: Ledger, number: int, outcome: Outcome) -> bool:
        recorded = answer(self, number, outcome)
        if len(self.history) == 104:
            raise KeyboardInterrupt
        return recorded

    monkeypatch.setattr(Ledger, "answer", interrupted)
    stopped = run(table_path, "--out", out, *arguments)
    assert stopped.exit_code == 130
    assert "resumes" in stopped.output
    assert not (out / "answer.json").exists()
    monkeypatch.undo()
    assert run(table_path, "--out", out, *arguments).exit_code == 0
    assert run(table_path, "--out", whole, *arguments).exit_code == 0
    assert (out / "queries.jsonl").read_bytes() == (whole / "queries.jsonl").read_bytes()


@pytest.mark.parametrize("method", ["predictor", "random", "evolution", "local", "oracle"])
def test_more_rounds_continue_a_finished_search(
    table_path: Path, tmp_path: Path, method: str
) -> None:
    def searched(out: str, rounds: int) -> Result:
        return run(
            table_path, "--out", tmp_path / out, "--method", method, "--n", 30, "--k", 4,
            "--rounds", rounds, "--recipe", "paper", "--device", "cpu",
        )  # fmt: skip

    assert searched("grown", 1).exit_code == 0
    assert len((tmp_path / "grown" / "queries.jsonl").read_text().splitlines()) == 34
    for out in ("grown", "whole"):
        assert searched(out, 2).exit_code == 0
    for name in ("queries.jsonl", "settings.json", "answer.json", "report.md"):
        grown, whole = (tmp_path / out / name for out in ("grown", "whole"))
        assert grown.read_bytes() == whole.read_bytes(), name
    fewer = searched("grown", 1)
    assert "architectures in all = 38, 34 was requested" in str(fewer.exception)
    assert isinstance(fewer.exception, SettingsError)


def test_a_graph_file_is_a_table_too(tmp_path: Path) -> None:
    path = tmp_path / "graphs.jsonl"
    records = []
    for i in range(40):
        ops = [f"op{(i >> bit) & 1}" for bit in range(6)]
        records.append({"ops": ops, "edges": [[v, v + 1] for v in range(5)], "y": 0.5 + i / 100})
    path.write_text("\n".join(json.dumps(record) for record in records))
    out = tmp_path / "out"
    result = run(path, "--out", out, "--method", "oracle", "--n", 1, "--k", 2)
    assert result.exit_code == 0, result.output
    answer = json.loads((out / "answer.json").read_text())
    assert answer["answer"]["accuracy"] == pytest.approx(0.89)
    assert answer["simple_regret"] == pytest.approx(0.0)
    assert answer["queries_without_time"] == 3


def test_figures_that_are_no_fractions_are_shown_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "graphs.jsonl"
    records = [
        {"ops": [f"op{(i >> bit) & 1}" for bit in range(4)], "edges": [[0, 1]], "y": 100.0 + i}
        for i in range(8)
    ]
    path.write_text("\n".join(json.dumps(record) for record in records))
    out = tmp_path / "out"
    result = run(path, "--out", out, "--method", "random", "--n", 3, "--k", 1)
    assert result.exit_code == 0, result.output
    best = json.loads((out / "answer.json").read_text())["answer"]["accuracy"]
    for text in (result.output, (out / "report.md").read_text()):
        assert f"{best:.2f}" in text
        assert "%" not in text
        assert "points" not in text


def assert_documented(out: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
    section = page.split("## Search folder")[1].split("\n## ")[0]
    record = json.loads((out / "queries.jsonl").read_text().splitlines()[0])
    files = [path.name for path in out.iterdir() if not path.name.startswith("pareto-")]
    for name in (*record, *files):
        assert f"`{name}`" in section


def test_a_folder_of_images_is_prepared_as_for_measuring(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos", sizes=((8, 9), (6, 7)))
    (tmp_path / "small.json").write_text(
        json.dumps({"stem_channels": 5, "num_stacks": 1, "batch_size": 4})
    )
    arguments = (
        folder, "--out", tmp_path / "out", "--method", "random", "--n", 1, "--k", 1,
        "--budget", 1, "--device", "cpu", "--settings", tmp_path / "small.json",
        "--image-size", 4, "--split-seed",
    )  # fmt: skip
    result = run(*arguments, 3)
    assert result.exit_code == 0, result.output
    searched = json.loads((tmp_path / "out" / "settings.json").read_text())["evaluator"]
    task = get_task(folder, tmp_path / "small.json", image_size=4, seed=3)
    assert searched["task_sha256"] == task.fingerprint
    assert_documented(tmp_path / "out")
    assert "use another folder or journal file" in str(run(*arguments, 2).exception)


def test_errors_name_the_option(table_path: Path, tmp_path: Path) -> None:
    def fails(*arguments: object) -> str:
        result = run(table_path, "--out", tmp_path / "out", *arguments)
        assert isinstance(result.exception, SettingsError), result.output
        return str(result.exception)

    assert "method 'best'" in fails("--method", "best")
    assert "rounds" in fails("--rounds", 0)
    assert "recipe 'nope'" in fails("--recipe", "nope")
    assert "acquisition 'nope'" in fails("--acquisition", "nope")
    assert "--max-training-time must be a number of seconds above 0, got 0" in fails(
        "--max-time", 0
    )
    unknown = fails("--max-latency", "5ms", "--latency-device", "missing.hdf5")
    assert "--latency-device 'missing.hdf5' must be cpu, cuda, cuda:1, shipped, or a" in unknown
    # What could not work after the first runs is refused before them.
    assert "no cell has at most 1 parameters" in fails("--max-params", 1)
    assert "at least 4 cells" in fails("--recipe", "fast", "--n", 3)
    for recipe in ("paper", "two-stage"):
        message = fails("--recipe", recipe, "--acquisition", "ei")
        assert "needs standard deviations" in message
        assert recipe in message
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    for name in ("settings.json", "weights.safetensors"):
        (tmp_path / "out" / name).write_text("{}")
    assert "is a model's folder" in fails()
    on_a_task = run("digits", "--budget", 1, "--out", tmp_path / "out")
    assert "is a model's folder" in str(on_a_task.exception)
    assert len(list((tmp_path / "out").iterdir())) == 2  # no journal either
    assert run(table_path, "--out", tmp_path / "a", "--method", "random").exit_code == 0
    message = run(table_path, "--out", tmp_path / "a", "--method", "random", "--seed", 1)
    assert "seed = 0, 1 was requested" in str(message.exception)


@pytest.mark.parametrize("option", ["--max-params", "--max-macs"])
def test_limits_are_above_zero(tmp_path: Path, option: str) -> None:
    result = run("digits", "--out", tmp_path / "out", option, 0)
    assert result.exit_code == 2
    assert option in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--n", "--k", "--rounds", "--budget", "--runs"])
def test_a_number_without_measure_leaves_no_folder(tmp_path: Path, option: str) -> None:
    result = run("digits", "--out", tmp_path / "out", option, 10**12)
    assert result.exit_code == 2
    assert "less than or equal to" in result.output
    assert not list(tmp_path.iterdir())


def test_too_few_random_cells_leave_no_folder(tmp_path: Path) -> None:
    result = run("digits", "--out", tmp_path / "out", "--start", 3)
    assert "recipe 'fast' is fitted to at least 4 cells, got 3 to begin with" in str(
        result.exception
    )
    assert not list(tmp_path.iterdir())


def searched(table_path: Path, out: Path, *options: object) -> list[dict[str, Any]]:
    few = ("--method", "random", "--n", 12, "--k", 3)
    assert pyg_nas("search", table_path, "--out", out, *few, *options) == 0
    return [json.loads(line) for line in (out / "queries.jsonl").read_text().splitlines()]


def test_search_takes_seed_budget_and_run(
    table_path: Path, small_table: Table, tmp_path: Path
) -> None:
    plain = searched(table_path, tmp_path / "a")
    other = searched(table_path, tmp_path / "b", "--seed", 1)
    assert [q["hash"] for q in plain] != [q["hash"] for q in other]
    early = searched(table_path, tmp_path / "c", "--budget", 12, "--run", 1)
    for query in early:
        row = small_table.index_of(query["hash"])
        assert query["accuracy"] == small_table.metrics[row, 1, 1, 1, 2]
        assert query["seconds"] == small_table.metrics[row, 1, 1, 1, 0]


def test_search_takes_the_acquisition(table_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--n", 12, "--k", 2, "--recipe", "fast", "--acquisition", "ucb")
    assert pyg_nas("search", table_path, "--out", out, *options) == 0
    settings = json.loads((out / "settings.json").read_text())
    assert settings["strategy_settings"]["acquisition"] == "ucb"
    last = json.loads((out / "queries.jsonl").read_text().splitlines()[-1])
    assert set(last["why"]) == {"predicted", "std"}


def test_search_on_a_task_trains_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from pyg_nas.measure.tasks.digits import digits_task

    digits = digits_task()
    tiny = replace(digits.settings, stem_channels=5, num_stacks=1, batch_size=96)
    monkeypatch.setattr("pyg_nas.measure.get_task", lambda *_: digits.with_settings(tiny))
    few = sample_cells(400, seed=0)
    few = few[np.argsort(few.num_edges, kind="stable")[:20]]
    monkeypatch.setattr("pyg_nas.spaces.nasbench101.support.SUPPORT.cells", lambda: few)
    options = ("--method", "random", "--n", 1, "--k", 1, "--budget", 1, "--runs", 2)
    assert pyg_nas("search", "digits", "--out", tmp_path, *options, "--device", "cpu") == 0
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert (settings["evaluator"]["budget"], settings["evaluator"]["seeds"]) == (1, 2)
    finish = shlex.join(["pyg-nas", "finish", str(tmp_path), "--out", f"{tmp_path}-network"])
    assert capsys.readouterr().out.endswith(f"\nnext, a trained network: {finish}\n")


def test_search_on_a_task_trains_cells_of_another_space(tmp_path: Path) -> None:
    out = tmp_path / "s"
    options = ("--method", "random", "--n", 2, "--budget", 1, "--rounds", 1, "--k", 1)
    arguments = ("search", "digits", "--space", "transnasbench101", "--out", out, "--device", "cpu")
    assert pyg_nas(*arguments, *options) == 0
    queries = [json.loads(line) for line in (out / "queries.jsonl").read_text().splitlines()]
    task, space = get_task("digits"), find_space("transnasbench101")
    assert len(queries) == 3
    for query in queries:
        network = Cell.from_dict(query, space).build(task)
        assert query["parameters"] == sum(p.numel() for p in network.parameters())
    assert pyg_nas("search", "digits", "--space", "nasbench201", "--out", out, *options) == 2
    assert pyg_nas("search", "digits", "--space", "nasbench301", "--out", tmp_path / "t") == 2
    assert not (tmp_path / "t").exists()


def test_search_stays_within_the_time_limit(
    table_path: Path, small_table: Table, tmp_path: Path
) -> None:
    # Random search asks for slow cells too; the answer is the best of the fast ones.
    limit = float(np.quantile(small_table.metrics[:, 3, 0, 1, 0], 0.3))
    queries = searched(table_path, tmp_path / "a", "--max-time", limit)
    fast = [query for query in queries if query["seconds"] <= limit]
    assert 0 < len(fast) < len(queries)
    answer = json.loads((tmp_path / "a" / "answer.json").read_text())["answer"]
    assert answer["accuracy"] == max(query["accuracy"] for query in fast)
    assert answer["accuracy"] < max(query["accuracy"] for query in queries)
    # The option's name of version 0.1 is the one above.
    renamed = searched(table_path, tmp_path / "a", "--max-training-time", limit)
    assert renamed == queries
    both = run(table_path, "--out", tmp_path / "b", "--max-time", 9, "--max-training-time", 9)
    assert "--max-time is the old name" in str(both.exception)


def test_search_stays_within_the_limit_on_macs(
    table_path: Path, small_table: Table, tmp_path: Path
) -> None:
    macs = small_table.cells.macs()
    limit = int(np.quantile(macs, 0.3))
    queries = searched(table_path, tmp_path / "a", "--max-macs", limit)
    allowed = {digest.decode() for digest in small_table.hashes[macs <= limit]}
    assert {query["hash"] for query in queries} <= allowed
    truth = small_table.metrics[:, -1, :2, 1, 3].astype(float).mean(axis=1)
    answer = json.loads((tmp_path / "a" / "answer.json").read_text())
    assert answer["regret_against"]["best"] == pytest.approx(truth[macs <= limit].max(), abs=1e-9)
    assert "within the constraints" in (tmp_path / "a" / "report.md").read_text()
    none = run(table_path, "--out", tmp_path / "b", "--max-macs", 1)
    assert "no cell has at most 1 MACs" in str(none.exception)


def test_search_on_a_task_has_its_executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def stop(*arguments: Any) -> None:
        _, budget, runs, _, executor, _ = arguments
        seen.append((budget, runs, executor))
        raise SettingsError("enough")

    monkeypatch.setattr("pyg_nas.search.evaluators.live.LiveEvaluator", stop)
    options = ("--budget", 2, "--runs", 3, "--backend", "threading", "--workers", 4)
    out = ("--out", tmp_path, "--device", "cpu")
    assert pyg_nas("search", "digits", *options, *out) == 2
    assert seen == [(2, 3, Executor("threading", 4, "cpu"))]


def test_a_search_whose_defaults_were_others_is_resumed(table_path: Path, tmp_path: Path) -> None:
    """By the same command: version 0.1 trained 172 cells first."""
    out = tmp_path / "out"
    assert run(table_path, "--out", out, "--method", "random", "--n", 172, "--k", 10).exit_code == 0
    again = run(table_path, "--out", out, "--method", "random")
    assert again.exit_code == 0, again.output
    assert len((out / "queries.jsonl").read_text().splitlines()) == 182


def test_seeds_repeat_a_search_and_give_a_band(
    table_path: Path, tmp_path: Path, undrawn: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    few = ("--method", "random", "--n", 12, "--k", 3, "--seed", 2)
    result = run(table_path, "--out", out, *few, "--seeds", 3)
    assert result.exit_code == 0, result.output
    for seed in (2, 3, 4):
        alone = tmp_path / f"alone-{seed}"
        assert run(table_path, "--out", alone, *few[:-1], seed).exit_code == 0
        for name in ("queries.jsonl", "answer.json"):
            assert (out / f"seed-{seed}" / name).read_bytes() == (alone / name).read_bytes()
    regrets = [
        json.loads((tmp_path / f"alone-{seed}" / "answer.json").read_text())["simple_regret"]
        for seed in (2, 3, 4)
    ]
    summary = json.loads((out / "seeds.json").read_text())
    assert summary["seeds"] == [2, 3, 4]
    assert summary["final_regret"] == pytest.approx(regrets)
    assert summary["regret_quartiles"]["0.5"][-1] == pytest.approx(np.median(regrets))
    assert f"after 15 cells: {100 * np.median(regrets):.2f} points" in " ".join(
        result.output.split()
    )
    # What is there is read, and further seeds are added.
    before = (out / "seed-3" / "queries.jsonl").read_bytes()
    undrawn.undo()
    assert run(table_path, "--out", out, *few, "--seeds", 4).exit_code == 0
    assert (out / "seed-3" / "queries.jsonl").read_bytes() == before
    assert len(json.loads((out / "seeds.json").read_text())["seeds"]) == 4
    assert "<svg" in (out / "regret.svg").read_text()
    one = run(table_path, "--out", tmp_path / "alone-2", *few, "--seeds", 2)
    assert "is the folder of one search" in str(one.exception)
    task = run("digits", "--out", tmp_path / "task", "--seeds", 2)
    assert "--seeds is for tables" in str(task.exception)


def test_seeds_without_an_answer_have_no_band(table_path: Path, tmp_path: Path) -> None:
    few = ("--method", "random", "--n", 4, "--k", 1, "--max-training-time", 1e-3)
    result = run(table_path, "--out", tmp_path, *few, "--seeds", 2)
    assert result.exit_code == 0, result.output
    assert "0 of 2 searches found a cell" in " ".join(result.output.split())
    assert json.loads((tmp_path / "seeds.json").read_text())["final_regret"] == [None, None]


def test_early_stopping_and_its_log(table_path: Path, tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    out, log = tmp_path / "out", tmp_path / "log"
    options = ["--method", "random", "--n", 15, "--k", 15, "--early-stopping"]
    result = run(table_path, "--out", out, *options, "--log", f"tensorboard:{log}")
    assert result.exit_code == 0, result.output
    assert "stopped early: " in result.output
    assert "training time saved: " in result.output
    answer = json.loads((out / "answer.json").read_text())
    events = reader.EventAccumulator(str(log)).Reload()
    accuracy = [event.step for event in events.Scalars("query/accuracy")]
    assert accuracy == list(range(answer["queries"]))
    assert sum(e.value for e in events.Scalars("query/stopped")) == answer["stopped_early"]
    assert events.Scalars("end/answer_accuracy")[0].value == pytest.approx(
        answer["answer"]["accuracy"]
    )


def test_without_early_stopping_the_same_folder_is_refused(
    table_path: Path, tmp_path: Path
) -> None:
    options = ["--method", "random", "--n", 3, "--k", 2, "--out", tmp_path / "out"]
    assert run(table_path, *options, "--early-stopping").exit_code == 0
    again = run(table_path, *options)
    assert isinstance(again.exception, SettingsError)
    assert "early_stopping" in str(again.exception)


def test_a_log_that_names_no_logger(table_path: Path, tmp_path: Path) -> None:
    result = run(table_path, "--out", tmp_path / "out", "--log", "paper:out")
    assert isinstance(result.exception, SettingsError)
    assert not (tmp_path / "out").exists()
