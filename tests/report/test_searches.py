"""The report of a search folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import PygNasError
from pyg_nas.metrics.intervals import mean_interval
from pyg_nas.report import write_report
from pyg_nas.report.searches import search_page
from pyg_nas.search.ask_tell import Search
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import RandomSearch
from pyg_nas.search.search_folder.folder import SearchFolder
from pyg_nas.search.search_folder.settings import SearchSettings
from tests.report.conftest import make_table
from tests.report.reader import Reader


def test_a_search_is_shown_from_its_folder(search_report: Path, search_source: Path) -> None:
    reader = Reader(search_report.read_text(encoding="utf-8"))
    answer = json.loads((search_source / "answer.json").read_text())
    assert "Search: search, by random" in reader.texts
    assert "40 cells of nasbench101 trained." in reader.texts
    assert f"{100 * answer['answer']['accuracy']:.2f} %" in reader.texts
    assert f"{100 * answer['simple_regret']:.2f} points" in reader.texts
    for heading in (
        "Accuracy by trained cells",
        "Accuracy by training time",
        "Regret by trained cells",
        "The best of 40 trained cells",
        "What to run next",
    ):
        assert heading in reader.texts
    figures = json.loads(reader.scripts[0])["figures"]
    best = figures[0]["traces"][1]["y"]
    assert best == sorted(best)
    assert best[-1] == pytest.approx(100 * answer["answer"]["accuracy"], rel=1e-5)
    fronts = [f["traces"][1] for f in figures if f["traces"][-1].get("name") == "Pareto front"]
    assert [len(front["x"]) for front in fronts] == [len(f) for f in answer["pareto"].values()]


def test_a_search_that_still_runs(search_source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "running"
    shutil.copytree(search_source, folder)
    (folder / "answer.json").unlink()
    lines = (folder / "queries.jsonl").read_bytes().splitlines(keepends=True)
    torn = b"".join(lines[:12]) + lines[12][:30]
    (folder / "queries.jsonl").write_bytes(torn)
    write_report(folder, None, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "12 cells of nasbench101 trained. The search has not finished." in text
    assert (folder / "queries.jsonl").read_bytes() == torn  # it is the search's to mend


def test_a_finished_search_that_is_continued(search_source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "running"
    shutil.copytree(search_source, folder)
    answer = json.loads((folder / "answer.json").read_text())
    (folder / "answer.json").write_text(json.dumps({**answer, "queries": 35}))
    write_report(folder, None, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "40 cells of nasbench101 trained. The search has not finished." in text


def test_a_search_that_is_asked_prints_how_to_continue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Search(tmp_path / "own", method="random")
    (candidate,) = search.ask()
    search.tell(candidate.id, 0.9)
    page = search_page(tmp_path / "own")
    assert page.subtitle == "1 cell of nasbench101 trained."
    assert page.answer is not None
    assert ("Get more cells to train:", "pyg-nas ask own") in page.answer.next_steps
    monkeypatch.chdir(tmp_path.parent)
    page = search_page(Path(tmp_path.name) / "own")
    assert page.answer is not None
    assert page.answer.next_steps[0][1] == f"pyg-nas ask {tmp_path.name}/own"
    monkeypatch.chdir(tmp_path / "own")
    page = search_page(Path())
    assert page.answer is not None
    assert page.answer.next_steps[0][1] == "pyg-nas ask ."
    assert page.title == "Search: own, by random"


def test_predictions_of_a_search_are_compared(search_source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "predicted"
    shutil.copytree(search_source, folder)
    records = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    for record in records[10:]:
        record["why"] = {"predicted": record["accuracy"] + 0.01}
    (folder / "queries.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    write_report(folder, None, tmp_path / "r.html")
    reader = Reader((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "Predicted and measured: all cells" in reader.texts
    assert any(
        text.startswith("30 cells, MSE 1 points², Kendall τ 1.000.") for text in reader.texts
    )
    # Random cells among the best have none, which is said.
    assert "nan" not in reader.texts
    assert any(
        "–: not known; cells of the random start have no prediction." in text
        for text in reader.texts
    )


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("queries.jsonl", b"", "no cell has been trained"),
        ("queries.jsonl", b"{}\n", "line 1: not a query"),
        ("queries.jsonl", b"[1]\n", "line 1: not a query"),
        ("queries.jsonl", b"\xff\xfe\n", "line 1: not a query"),
        ("settings.json", b"[]", "must be a JSON object"),
        ("settings.json", b"{", "not a readable JSON file"),
        ("settings.json", b"{}", "give the table as well"),
        ("settings.json", b'{"space": {"name": 1}}', "space needs exactly the keys"),
        ("answer.json", b"nonsense", "not a readable JSON file"),
    ],
)
def test_a_damaged_search_folder_is_named(
    search_source: Path, tmp_path: Path, file: str, content: bytes, message: str
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(search_source, folder)
    (folder / file).write_bytes(content)
    with pytest.raises(PygNasError, match=message):
        write_report(folder, None, tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_times_regrets_and_the_best_of_a_search(search_source: Path) -> None:
    queries = [
        json.loads(line) for line in (search_source / "queries.jsonl").read_text().splitlines()
    ]
    page = search_page(search_source)
    figures = {figure.title: figure for figure in page.figures}
    hours = np.cumsum([query["seconds"] for query in queries]) / 3600
    np.testing.assert_allclose(
        figures["Accuracy by training time"].traces[1]["x"], hours, rtol=1e-5
    )
    best = json.loads((search_source / "answer.json").read_text())["regret_against"]["best"]
    at = np.array(
        [max(range(i + 1), key=lambda k: queries[k]["accuracy"]) for i in range(len(queries))]
    )
    regret = [100 * (best - queries[i]["true_accuracy"]) for i in at]
    np.testing.assert_allclose(
        figures["Regret by trained cells"].traces[0]["y"],
        regret,
        rtol=1e-5,
        atol=1e-5,
    )
    order = sorted(range(len(queries)), key=lambda i: -queries[i]["accuracy"])[:10]
    column = page.table.columns.index("query")
    assert [row[column][0] for row in page.table.rows] == [i + 1 for i in order]


def test_the_answer_of_a_search_is_within_its_limit(search_source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "limited"
    shutil.copytree(search_source, folder)
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    limit = float(np.median([query["seconds"] for query in queries]))
    settings = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps({**settings, "max_seconds": limit}))
    card = search_page(folder).answer
    assert card is not None
    facts = {fact.name: fact.value for fact in card.facts}
    expected = max(query["accuracy"] for query in queries if query["seconds"] <= limit)
    assert expected < max(query["accuracy"] for query in queries)
    assert facts["validation accuracy"] == f"{100 * expected:.2f} %"


def test_the_runs_of_a_table_give_the_answer_an_interval(search_source: Path) -> None:
    table = make_table()
    table.metrics[:, :, 0, 1, 2] += 0.01
    card = search_page(search_source, table).answer
    assert card is not None
    assert "95 % interval of the mean of 2 runs" in card.facts[0].note


def test_the_interval_is_of_the_budget_and_drawing_that_were_searched(tmp_path: Path) -> None:
    once = make_table(20)
    metrics = np.repeat(once.metrics, 2, axis=1)[[*range(20), 7]]  # two drawings of one cell
    metrics[:, 0, :, 1, 2] = [0.50, 0.52]
    metrics[7, 0, :, 1, 2] = np.nan
    metrics[20, 0, :, 1, 2] = [0.60, 0.64]
    table = Table(once.cells[[*range(20), 7]], metrics, (4, 12))
    evaluator = TableEvaluator(table, LabelPolicy(budget=4, run="mean"))
    settings = SearchSettings.of(RandomSearch(), evaluator, Constraints(), 0, "t.hdf5", 20)
    folder = SearchFolder(tmp_path, settings, table.space)
    search(RandomSearch(), evaluator, 20, folder=folder)
    card = search_page(folder.path, table).answer
    assert card is not None
    assert card.facts[0].value == "62.00 %"
    expected = mean_interval([0.60, 0.64])
    assert f"2 runs: {100 * expected.low:.2f} to {100 * expected.high:.2f} %" in card.facts[0].note


def test_the_runs_of_a_table_with_its_own_score_give_an_interval(tmp_path: Path) -> None:
    table = make_table()
    table.metrics[:, :, 0, 1, 2] += 0.01
    table.about["score"] = "R²"
    table.targets["validation_f1"] = np.arange(float(len(table)))
    for metric, name, has_interval in (
        ("validation_accuracy", "validation R²", True),
        ("validation_f1", "validation f1", False),
    ):
        evaluator = TableEvaluator(table, LabelPolicy(metric))
        settings = SearchSettings.of(RandomSearch(), evaluator, Constraints(), 0, "t.hdf5", 5)
        folder = SearchFolder(tmp_path / metric, settings, table.space)
        search(RandomSearch(), evaluator, 5, folder=folder)
        card = search_page(folder.path, table).answer
        assert card is not None
        assert card.facts[0].name == name
        assert ("95 % interval of the mean of 2 runs" in card.facts[0].note) == has_interval


def test_deep_and_long_settings_are_shown_in_part(search_source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    shutil.copytree(search_source, folder)
    settings = (folder / "settings.json").read_text().rstrip().removesuffix("}")
    deep = '{"a": ' * 50 + "1" + "}" * 50
    (folder / "settings.json").write_text(f'{settings}, "deep": {deep}, "many": {[0] * 5000}}}')
    write_report(folder, None, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert text.count("<dt>a</dt>") < 20
    assert "4,900 more" in text


def test_a_table_that_was_searched_is_named_for_the_interval(
    search_source: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "my search"
    shutil.copytree(search_source, folder)
    settings = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps({**settings, "target": "a b.hdf5"}))
    for table, expected in ((None, True), (make_table(), False)):
        page = search_page(folder, table)
        assert page.title == "Search: a b.hdf5, by random"
        assert page.answer is not None
        commands = [command for _, command in page.answer.next_steps]
        assert ("pyg-nas report 'my search' 'a b.hdf5'" in commands) == expected
