"""Networks of a list: proposed by their graphs, recorded by their names."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.data.networks.dataset import NetworkDataset
from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.errors import SettingsError, TableError
from pyg_nas.io.files import atomic_path
from pyg_nas.report.search_facts import SearchFacts
from pyg_nas.report.search_summary import write_search_summary
from pyg_nas.report.searches import search_page
from pyg_nas.report.seed_summary import write_seeds
from pyg_nas.search.ask_tell import Search
from pyg_nas.search.constraints import Constraints, restrict
from pyg_nas.search.evaluators.network_list import NetworkListEvaluator, NetworkTableEvaluator
from pyg_nas.search.goal import Goal
from pyg_nas.search.history import Proposal, Query
from pyg_nas.search.loop import search as run_search
from pyg_nas.search.methods.by_name import make_strategy
from pyg_nas.search.outcome import Outcome
from pyg_nas.search.search_folder.folder import SearchFolder
from pyg_nas.search.search_folder.settings import SearchSettings
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.visualization.cells import network_drawing
from pyg_nas.visualization.drawing import svg
from tests.spaces.modules.networks import random_network

GRAPHS = [random_network(5 + 7 * seed % 40, seed) for seed in range(80)]
NAMES = [f"net {row}" for row in range(80)]
TABLE = NetworkTable(NetworkArray.from_graphs(GRAPHS), NAMES)
ACCURACY = {
    name: float(np.log(len(graph)) + 0.1 * graph.operations.count("conv"))
    for name, graph in zip(NAMES, GRAPHS, strict=True)
}


def run(search: Search, rounds: int) -> list[str]:
    asked = []
    for _ in range(rounds):
        for candidate in search.ask(4):
            assert candidate.text is not None
            asked.append(candidate.text)
            search.tell(candidate.id, accuracy=ACCURACY[candidate.text])
    return asked


def test_a_resumed_search_proposes_what_an_uninterrupted_one_does(tmp_path: Path) -> None:
    settings = {"networks": TABLE, "n": 8, "k": 4, "seed": 1}
    whole = run(Search(tmp_path / "a", **settings), 6)
    assert len(set(whole)) == 24
    first = run(Search(tmp_path / "b", **settings), 3)
    assert first + run(Search.open(tmp_path / "b"), 3) == whole
    # The list is searched by its graphs: the 12 after the fit are better than a draw of 12.
    chosen = np.mean([ACCURACY[name] for name in whole[8:]])
    assert chosen > np.quantile(list(ACCURACY.values()), 0.75)
    best = Search.open(tmp_path / "b").best
    assert best is not None
    assert best.cell.operations == (max(whole, key=lambda name: ACCURACY[name]),)
    assert best.parameters == GRAPHS[NAMES.index(best.cell.operations[0])].parameters


def test_candidates_that_were_not_written_are_named_again(tmp_path: Path) -> None:
    Search(tmp_path, networks=TABLE, method="random")
    (tmp_path / "networks.hdf5").unlink()  # its process was killed before it wrote them
    with pytest.raises(
        SettingsError, match=r"networks.hdf5 is missing: .* name the networks again"
    ):
        Search.open(tmp_path)
    with pytest.raises(SettingsError, match=r"of a list of networks; give the argument `networks`"):
        Search(tmp_path)
    with suppress(InterruptedError), atomic_path(tmp_path / "networks.hdf5") as temporary:
        left = temporary.with_name(temporary.name.replace(".part", "0.part"))
        raise InterruptedError
    left.touch()  # what it had begun
    os.utime(left, (0, 0))
    assert Search.open(tmp_path, networks=TABLE).ask()
    assert not left.exists()
    assert Search.open(tmp_path).pending()


def test_limits_and_standard_deviations(tmp_path: Path) -> None:
    parameters = np.array([graph.parameters for graph in GRAPHS])
    limit = int(np.median(parameters))
    dataset = NetworkDataset(tmp_path / "d", GRAPHS)
    search = Search(networks=dataset, n=6, k=4, acquisition="ei", constraints=Constraints(limit))
    for candidate in search.ask(10):
        assert candidate.parameters is not None
        assert candidate.parameters <= limit
        search.tell(candidate.id, accuracy=0.5 + 0.01 * candidate.id)
    assert "std" in search.ask(1)[0].proposal.why


def test_equal_networks_are_one_candidate() -> None:
    rows = np.array([3, 5, 3])
    twice = NetworkTable(TABLE.networks.select(rows), ["a", "b", "c"])
    with pytest.warns(UserWarning, match=r"1 of 3 networks have .* is 'c', with the graph of 'a'"):
        assert NetworkListEvaluator(twice).listed.names == ("a", "b")
    with pytest.warns(UserWarning, match="no candidates"):
        search = Search(networks=twice, n=1, k=1)
    assert len(search.ask(5)) == 2
    with pytest.raises(SettingsError, match="names of networks to choose from must differ"):
        NetworkListEvaluator(NetworkTable(TABLE.networks.select(rows[:2]), ["a", "a"]))


def test_what_does_not_fit_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'evolution' cannot search a list of networks"):
        Search(networks=TABLE, method="evolution")
    with pytest.raises(SettingsError, match="cannot be given together"):
        Search(networks=TABLE, space="nasbench101")
    Search(tmp_path, networks=TABLE)
    fewer = TABLE.subset(np.arange(40))
    with pytest.raises(SettingsError, match="contains a search with"):
        Search(tmp_path, networks=fewer)
    own = tmp_path / "own"
    own.mkdir()
    fewer.save(own / "networks.hdf5")
    content = (own / "networks.hdf5").read_bytes()
    with pytest.raises(SettingsError, match="has other networks than this search"):
        Search(own, networks=TABLE)
    assert (own / "networks.hdf5").read_bytes() == content


def test_the_report_draws_the_networks(tmp_path: Path) -> None:
    search = Search(tmp_path, networks=TABLE, n=8, k=4)
    run(search, 3)
    page = search_page(tmp_path)
    assert page.answer is not None
    best = search.best
    assert best is not None
    assert page.answer.facts[0].value == best.cell.operations[0]
    drawn = network_drawing(TABLE.networks, NAMES.index(best.cell.operations[0]))
    assert page.answer.drawing == svg(drawn)
    assert {record["h"] for record in page.gallery.to_dict()["cells"]} == {""}


def test_reports_and_errors_name_networks(tmp_path: Path) -> None:
    values = np.array([ACCURACY[name] for name in NAMES])
    evaluator = NetworkTableEvaluator(NetworkTable(TABLE.networks, NAMES, {"accuracy": values}))
    strategy = make_strategy("predictor", evaluator, n=8, k=4, recipe="networks")
    settings = SearchSettings.of(strategy, evaluator, Constraints(), seed=0, budget=16)
    evaluator.save(tmp_path)
    folder = SearchFolder(tmp_path, settings, evaluator.domain.space)
    result = run_search(strategy, evaluator, 16, folder=folder)
    write_search_summary(tmp_path, SearchFacts(result), settings)
    best = result.history[int(result.history.accuracies.argmax())].cell.operations[0]
    text = (tmp_path / "report.md").read_text().split("## Settings")[0]
    assert f"| network | {best} |" in text
    assert "The best of 16 trained networks" in text
    page = search_page(tmp_path)
    assert page.table is not None
    assert page.table.columns[0] == "name"
    assert best in [text for _, text in page.table.rows[0]]
    shown = [text, page.subtitle, page.table.title, page.table.note]
    shown.append(write_seeds(tmp_path, [0], [result]))
    shown += [text for figure in page.figures for text in (figure.title, figure.note)]
    assert "16 of 80 listed networks trained." in shown
    assert not [words for words in shown if re.search(r"\bcells?\b", words)]
    with pytest.raises(SettingsError, match=r"^no network has at most 1 parameters"):
        restrict(evaluator, Constraints(1))
    name = evaluator.listed.names[0]
    proposal = Proposal(evaluator.domain.cells[0])
    with pytest.raises(SettingsError, match=f"^network {name}: "):
        Query(proposal, Outcome(float("nan")))


def test_a_table_is_searched_by_looking_its_networks_up(tmp_path: Path) -> None:
    values = [ACCURACY[name] for name in NAMES]
    values[3] = np.nan
    table = NetworkTable(TABLE.networks, NAMES, {"accuracy": values, "latency": np.ones(80)})
    evaluator = NetworkTableEvaluator(table)
    assert len(evaluator.domain) == 79
    assert evaluator.reference is not None
    assert evaluator.reference.best == np.nanmax(values)
    strategy = make_strategy("oracle", evaluator, n=1, k=2, recipe="networks")
    result = run_search(strategy, evaluator, 5)
    found = [query.outcome.accuracy for query in result.history]
    assert found == sorted(np.array(values)[~np.isnan(values)].tolist())[:-6:-1]
    parameters = np.array([graph.parameters for graph in GRAPHS])
    small = evaluator.best_within(Constraints(int(np.median(parameters))))
    assert small is not None
    assert small.best == np.nanmax(np.where(parameters <= np.median(parameters), values, np.nan))
    assert evaluator.best_within(Constraints(max_macs=1)) is None


def test_the_cheapest_network_of_a_table_is_found() -> None:
    parameters = np.array([graph.parameters for graph in GRAPHS])
    table = NetworkTable(TABLE.networks, NAMES, {"latency": parameters / 1e9})
    by_default = NetworkTableEvaluator(table)
    assert by_default.goal == Goal("latency", "", larger_is_better=False)
    for evaluator in (by_default, NetworkTableEvaluator(table, LabelPolicy("parameters"))):
        strategy = make_strategy("oracle", evaluator, n=1, k=2, recipe="networks")
        result = run_search(strategy, evaluator, 5)
        chosen = [NAMES.index(query.cell.operations[0]) for query in result.history]
        assert parameters[chosen].tolist() == sorted(parameters.tolist())[:5]
        assert result.regret is not None
        assert result.regret.tolist() == [0.0] * 5


@pytest.mark.parametrize("networks", [GRAPHS, "onnx_files"])
def test_candidates_that_are_no_dataset_are_refused(networks: Any) -> None:
    with pytest.raises(SettingsError, match=r"NetworkTable or a NetworkDataset, got (list|str); "):
        Search(networks=networks)


def test_a_listed_network_is_built_by_the_user() -> None:
    (candidate,) = Search(networks=TABLE).ask()
    with pytest.raises(SettingsError, match=r"'net \d+' is a network of a list.* your own code"):
        candidate.build()


def test_a_table_without_a_label_is_refused() -> None:
    empty = NetworkTable(TABLE.networks, NAMES, {"accuracy": np.full(80, np.nan)})
    with pytest.raises(TableError, match="no network has the label 'accuracy'"):
        NetworkTableEvaluator(empty)
