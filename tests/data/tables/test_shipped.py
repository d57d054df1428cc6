"""The shipped data are valid, and where they are missing the script that makes them is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.data.tables import shipped
from pyg_nas.errors import ModelError, TableError
from pyg_nas.measure.network import build_network
from pyg_nas.measure.tasks.digits import digits_task


def test_the_shipped_table_is_valid() -> None:
    table = shipped.shipped_table()
    table.check()
    assert table.about["task"] == shipped.SHIPPED_TASK
    assert len(table) == 1_438
    network = build_network(table.cells[7], digits_task())
    assert table.trainable_parameters[7] == sum(p.numel() for p in network.parameters())


def test_missing_data_name_their_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "__file__", str(Path("/nowhere/pyg_nas/data/tables/shipped.py")))
    with pytest.raises(TableError, match=r"make_tables\.py"):
        shipped.shipped_table_path()
    with pytest.raises(TableError, match=r"make_network_latency\.py"):
        shipped.shipped_latencies()
    with pytest.raises(ModelError, match=r"make_zero_cost\.py"):
        shipped.zero_cost_path()


@pytest.mark.parametrize("name", ["nasbench201_digits.hdf5", "nasbench201_textures.hdf5"])
def test_the_shipped_tables_of_nasbench201_are_valid(name: str) -> None:
    table = shipped.shipped_table(name)
    table.check()
    assert table.about["task"] in name
    assert (len(table.budgets), table.num_runs) == (3, 3)
    assert table.measured.all()
