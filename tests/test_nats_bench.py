"""The replacement of ``nats_bench`` on tables made by hand."""

from __future__ import annotations

import random
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyg_nas import nats_bench
from pyg_nas.data.tables.architecture_csv import read_architectures
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError, TableError
from pyg_nas.graphs import sample_cells
from pyg_nas.nasbench.statistics import NotMeasuredError
from pyg_nas.spaces.nasbench201 import NASBENCH201, official_texts
from tests.conftest import shared_file

TEXTS = official_texts()


@pytest.fixture
def table() -> Table:
    """Architectures 3 and 8; run 1 of the second is not measured."""
    metrics = np.full((2, 2, 2, 2, 4), np.nan, dtype=np.float32)
    metrics[:, 1, 0, 1] = [[100, 0.99, 0.90, 0.93], [200, 0.98, 0.80, 0.83]]
    metrics[0, 1, 1, 1] = [110, 0.97, 0.92, 0.95]
    metrics[:, 0, 0, 1, 2] = [0.5, 0.25]
    texts = [TEXTS[3], TEXTS[8]]
    cells = NASBENCH201.support.cells_of_texts(texts)
    targets = {"latency": np.array([1.5, 2.5])}
    return Table(cells, metrics, [12, 200], targets=targets, texts=texts)


@pytest.fixture
def api(table: Table) -> nats_bench.NATStopology:
    return nats_bench.create(table, "tss", fast_mode=True, verbose=False)


def test_indices_are_the_official_ones(api: nats_bench.NATStopology) -> None:
    assert len(api) == 15_625
    assert api.evaluated_indexes == [3, 8]
    assert api.arch(3) == api[3] == TEXTS[3]
    assert api.query_index_by_arch(TEXTS[8]) == api.query_index_by_arch(8) == 8

    class Structure:
        def tostr(self) -> str:
            return TEXTS[5]

    assert api.query_index_by_arch(Structure()) == 5
    assert api.query_index_by_arch("|nonsense|") == -1
    assert list(api) == list(TEXTS)  # as scripts of the official packages iterate


def test_accuracies_are_in_percent_and_of_their_data_set(api: nats_bench.NATStopology) -> None:
    info = api.get_more_info(3, "cifar10-valid", hp="200", is_random=False)
    assert info["valid-accuracy"] == pytest.approx(91)
    assert info["train-accuracy"] == pytest.approx(98)
    assert info["train-all-time"] == pytest.approx(105)
    assert info["train-per-time"] == pytest.approx(105 / 200)
    assert "test-accuracy" not in info
    test = api.get_more_info(TEXTS[3], "cifar10", hp=200, is_random=False)
    assert test["test-accuracy"] == pytest.approx(94)
    assert "valid-accuracy" not in test
    assert api.get_more_info(3, "cifar10-valid", hp="200", is_random=1)[
        "valid-accuracy"
    ] == pytest.approx(92)
    assert api.get_more_info(3, "cifar10-valid")["valid-accuracy"] == pytest.approx(50)
    assert api.get_more_info(3, "cifar10", hp="200", is_random=np.False_) == test
    assert api.get_more_info(3, "cifar10", hp="200", is_random=np.True_)["test-accuracy"] != 94


def test_runs_have_their_seeds(table: Table, tmp_path: Path) -> None:
    rows = [f"{TEXTS[3]},200,{seed},9{seed % 10}" for seed in (999, 777, 888)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["arch,epochs,seed,validation_accuracy", *rows]) + "\n")
    read_architectures(path, NASBENCH201).table.save(tmp_path / "t.hdf5")
    api = nats_bench.NASBench201API(str(tmp_path / "t.hdf5"), verbose=False)
    for seed in (777, 888, 999):
        info = api.get_more_info(3, "cifar10-valid", iepoch=199, hp="200", is_random=seed)
        assert info["valid-accuracy"] == pytest.approx(90 + seed % 10)
    with pytest.raises(NotMeasuredError, match=r"seed 0 is not one of \[777, 888, 999\]"):
        api.get_more_info(3, "cifar10-valid", hp="200", is_random=0)


def test_a_summary_is_printed_unless_told_not_to(
    table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    nats_bench.create({"cifar100": table}, "topology", verbose=False)
    assert capsys.readouterr().out == ""
    nats_bench.NASBench201API(file_path_or_dict=table)
    assert capsys.readouterr().out == (
        "NAS-Bench-201: 2/15625 architectures, cifar10-valid, cifar10\n"
    )


def test_draws_come_from_python_s_generator(api: nats_bench.NATStopology) -> None:
    def draws() -> list[float]:
        random.seed(4)
        infos = [api.get_more_info(3, "cifar10-valid", hp="200") for _ in range(12)]
        return [api.random(), *(info["valid-accuracy"] for info in infos)]

    assert draws() == draws()
    assert len(set(draws()[1:])) == 2
    # A run that is not measured is never drawn.
    alone = {api.get_more_info(8, "cifar10-valid", hp="200")["valid-accuracy"] for _ in range(9)}
    assert len(alone) == 1


def test_a_run_of_the_other_data_set_is_never_drawn(table: Table) -> None:
    metrics = table.metrics.copy()
    metrics[0, 1, 1, 1] = [np.nan, np.nan, np.nan, 0.95]
    texts = [TEXTS[3], TEXTS[8]]
    api = nats_bench.create(
        Table(table.cells, metrics, [12, 200], texts=texts), "tss", verbose=False
    )
    drawn = {api.get_more_info(3, "cifar10-valid", hp=200)["valid-accuracy"] for _ in range(20)}
    assert list(drawn) == pytest.approx([90])
    assert api.get_more_info(3, "cifar10", hp=200, is_random=1) == {
        "test-accuracy": pytest.approx(95)
    }


def test_costs_are_those_of_the_official_networks(api: nats_bench.NATStopology) -> None:
    cost = api.get_cost_info(3, "cifar10-valid")
    assert cost["latency"] == 1.5
    assert api.get_cost_info(8, "cifar100")["params"] - api.get_cost_info(8, "cifar10")[
        "params"
    ] == pytest.approx(0.00585)
    quarter = api.get_cost_info(8, "ImageNet16-120")["flops"] * 1e6 - 64 * 120
    assert 4 * quarter == pytest.approx(api.get_cost_info(8, "cifar10")["flops"] * 1e6 - 640)
    assert api.arch(3) in api.query_by_arch(3, "200")
    assert "valid-accuracy 91.00" in api.query_by_arch(TEXTS[3], hp="200")


def test_the_best_is_the_highest_mean(api: nats_bench.NATStopology) -> None:
    assert api.find_best("cifar10-valid", "x-valid", hp="200") == (3, pytest.approx(91))
    assert api.find_best("cifar10", "ori-test", hp=200) == (3, pytest.approx(94))
    assert api.find_best("cifar10-valid", "x-valid") == (3, pytest.approx(50))
    costs = [api.get_cost_info(index, "cifar10") for index in (3, 8)]
    small = int(np.argmin([cost["params"] for cost in costs]))
    least = costs[small]["params"], costs[small]["flops"]
    found = api.find_best("cifar10", "ori-test", Param_max=least[0], hp="200")
    assert found[0] == (3, 8)[small]
    assert api.find_best("cifar10", "ori-test", FLOP_max=least[1] / 2, hp="200") == (-1, None)
    assert api.find_best("cifar10", "x-valid", hp="200") == (-1, None)  # of the other data set
    with pytest.raises(NotMeasuredError, match="no 'x-test' of cifar10, only train, x-valid, ori"):
        api.find_best("cifar10", "x-test")
    with pytest.raises(NotMeasuredError, match="not of cifar100"):
        api.find_best("cifar100", "x-test")


def test_simulated_training_adds_up_its_time(api: nats_bench.NATStopology) -> None:
    accuracy, nothing, seconds, total = api.simulate_train_eval(8, "cifar10", hp="200")
    assert (accuracy, nothing, seconds, total) == (pytest.approx(80), None, 200.0, 200.0)
    api.simulate_train_eval(8, "cifar10", hp="200", account_time=False)
    assert api.used_time == 200.0
    api.reset_time()
    assert api.used_time == 0.0


def test_the_configuration_builds_the_official_network(api: nats_bench.NATStopology) -> None:
    for index in (3, TEXTS[3]):
        assert api.get_net_config(index, "cifar100") == {
            "name": "infer.tiny",
            "C": 16,
            "N": 5,
            "arch_str": TEXTS[3],
            "num_classes": 100,
        }
    assert api.get_net_config(9, "cifar10-valid")["num_classes"] == 10  # in no table
    with pytest.raises(SettingsError, match="cifar11"):
        api.get_net_config(3, "cifar11")


def test_methods_that_need_weights_or_curves_are_refused(api: nats_bench.NATStopology) -> None:
    assert api.clear_params(3, "200") is None
    with pytest.raises(AttributeError, match=r"'get_net_param': a table has no weights"):
        api.get_net_param(3, "cifar10", None)
    with pytest.raises(AttributeError, match=r"'query_by_index': .* get_more_info returns the fin"):
        api.query_by_index(3, "cifar10")
    with pytest.raises(AttributeError, match=r"has no attribute 'query'$"):
        api.query(3)
    assert not hasattr(api, "reload")


def test_text_forms_as_lists(api: nats_bench.NATStopology) -> None:
    text = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
    assert api.str2lists(text) == [
        (("nor_conv_3x3", 0),),
        (("none", 0), ("none", 1)),
        (("skip_connect", 0), ("none", 1), ("avg_pool_3x3", 2)),
    ]
    assert api.get_unique_str(text) == "0"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda api: api.get_more_info(4, "cifar10"), "architecture 4 is not in the table"),
        (lambda api: api.get_more_info(99_999, "cifar10"), "99999 is not an architecture"),
        (lambda api: api.get_more_info(3, "cifar100"), "tables are of .* not of cifar100"),
        (lambda api: api.get_more_info(3, "cifar10", hp="90"), "hp '90': .* 12, 200 epochs"),
        (lambda api: api.get_more_info(3, "cifar10", hp="12e"), "hp '12e': .* 12, 200 epochs"),
        (lambda api: api.get_more_info(3, "cifar10", hp=12.7), "hp 12.7: .* 12, 200 epochs"),
        (lambda api: api.get_more_info(3, "cifar10", iepoch=5), "iepoch 5: .* after epoch 11"),
        (
            lambda api: api.get_more_info(8, "cifar10", hp=200, is_random=1),
            r"seed 1 is not one of \[0\]",
        ),
        (
            lambda api: api.get_more_info(3, "cifar10", hp=200)["train-loss"],
            "no 'train-loss', only",
        ),
    ],
)
def test_what_a_table_lacks_is_named(api, call, message: str) -> None:
    with pytest.raises(NotMeasuredError, match=message):
        call(api)


def test_other_settings_are_refused(api: nats_bench.NATStopology, table: Table) -> None:
    with pytest.raises(SettingsError, match="'sss' must be one of tss, topology"):
        nats_bench.create(table, "sss")
    for nothing in (None, {"cifar10": None}):
        with pytest.raises(SettingsError, match=r"the path of a table, .*, got None"):
            nats_bench.create(nothing, "tss")  # type: ignore[arg-type]
    with pytest.raises(NotMeasuredError, match=r"seed '0' is not one of \[0, 1\]"):
        api.get_more_info(3, "cifar10", hp=200, is_random="0")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="data set 'mnist' must be one of"):
        api.get_more_info(3, "mnist")
    with pytest.raises(SettingsError, match="index 15625 must be 0 to 15624"):
        api.arch(15_625)
    metrics = np.zeros((2, 1, 1, 2, 4), dtype=np.float32)
    with pytest.raises(TableError, match="contains cells of 'nasbench101'"):
        nats_bench.create(Table(sample_cells(2, seed=0), metrics, [1]), "tss")


def test_several_tables_by_data_set(table: Table, tmp_path: Path) -> None:
    table.save(tmp_path / "t.hdf5")
    sources = {"cifar10-valid": tmp_path / "t.hdf5", "cifar100": table}
    api = nats_bench.create(sources, "topology", verbose=False)
    assert api.datasets == ("cifar10-valid", "cifar100")
    info = api.get_more_info(3, "cifar100", hp=200, is_random=False)
    assert info["valid-accuracy"] == pytest.approx(91)
    assert info["test-accuracy"] == pytest.approx(94)


def test_costs_are_the_published_ones(api: nats_bench.NATStopology) -> None:
    with h5py.File(shared_file("nasbench201.hdf5")) as file:
        parameters = file["cost/params_cifar10"][:]
    for index in range(0, 15_625, 1_111):
        assert api.get_cost_info(index, "cifar10")["params"] * 1e6 == pytest.approx(
            parameters[index]
        )
