"""Networks that a user names: builders with configurations, folders, tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyg_nas.errors import NetworkError, SettingsError
from pyg_nas.predictors.networks.lists import named_sources, read_candidates

BUILDER = """
import torch

def linear(width):
    return torch.nn.Linear(4, width, device="meta"), torch.zeros(1, 4)
"""


@pytest.fixture
def builder(tmp_path: Path) -> str:
    path = tmp_path / f"builders_of_{tmp_path.name}.py"
    path.write_text(BUILDER)
    return f"{path}:linear"


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_a_builder_with_configurations(suffix: str, builder: str, tmp_path: Path) -> None:
    configurations = [{"width": 3}, {"width": 5}]
    text = json.dumps(configurations)
    if suffix == ".jsonl":
        text = "\n".join(json.dumps(one) for one in configurations)
    path = tmp_path / f"c{suffix}"
    path.write_text(text)
    table = read_candidates(builder, path)
    assert list(table.names) == ['{"width": 3}', '{"width": 5}']
    assert table.networks.parameters.tolist() == [15, 25]
    table.save(tmp_path / "t.hdf5")
    assert read_candidates(str(tmp_path / "t.hdf5")).names == table.names


def test_processes_import_the_builder_of_a_file(builder: str, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text('[{"width": 3}, {"width": 5}]')
    assert read_candidates(builder, path, workers=2).networks.parameters.tolist() == [15, 25]
    path.write_text('[{"width": 3}, {"width": "wide"}]')
    messages = []
    for workers in (1, 2):
        with pytest.raises(NetworkError, match=r"builders_of_.*\.py, line 5: TypeError") as raised:
            read_candidates(builder, path, workers=workers)
        messages.append(str(raised.value))
    assert messages[0] == messages[1]


def test_an_argument_of_a_builder_may_have_any_name(tmp_path: Path) -> None:
    module = tmp_path / f"named_{tmp_path.name}.py"
    module.write_text(BUILDER.replace("width", "self"))
    (tmp_path / "c.json").write_text('[{"self": 3}]')
    table = read_candidates(f"{module}:linear", tmp_path / "c.json")
    assert table.networks.parameters.tolist() == [15]


def test_repeated_configurations_have_different_names(builder: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('[{"width": 3}, {"width": 3}]')
    names = [source.name for source in named_sources(builder, tmp_path / "c.json")]
    assert names == ['0 {"width": 3}', '1 {"width": 3}']


def test_what_does_not_fit_is_refused(builder: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="needs a file of configurations"):
        named_sources(builder)
    (tmp_path / "c.json").write_text('{"width": 3}')
    with pytest.raises(SettingsError, match="a list of objects"):
        named_sources(builder, tmp_path / "c.json")
    (tmp_path / "c.jsonl").write_text('{"width": 3}\n\n{"width": NaN}\n')
    with pytest.raises(SettingsError, match=r"c\.jsonl, line 3: numbers must be finite"):
        named_sources(builder, tmp_path / "c.jsonl")
    with pytest.raises(
        SettingsError, match=r"`configurations` is for a builder.*folder of ONNX files has none"
    ):
        named_sources(str(tmp_path), tmp_path / "c.json")
    with pytest.raises(NetworkError, match=r"no file that ends in \.onnx"):
        read_candidates(str(tmp_path))
    (tmp_path / "c.json").write_text('[{"depth": 3}]')
    with pytest.raises(NetworkError, match="unexpected keyword argument 'depth'"):
        read_candidates(builder, tmp_path / "c.json")


def test_configurations_of_a_table_are_refused(builder: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('[{"width": 3}]')
    read_candidates(builder, tmp_path / "c.json").save(tmp_path / "t.hdf5")
    with pytest.raises(SettingsError, match=r"t\.hdf5: .*`configurations` is for a builder"):
        read_candidates(str(tmp_path / "t.hdf5"), tmp_path / "c.json")


@pytest.mark.parametrize("has_configurations", [False, True])
def test_a_file_without_its_function_is_refused(
    has_configurations: bool, builder: str, tmp_path: Path
) -> None:
    (tmp_path / "c.json").write_text('[{"width": 3}]')
    file = builder.removesuffix(":linear")
    for read in (named_sources, read_candidates):
        with pytest.raises(
            SettingsError, match=r"\.py: name the function of the file .*\.py:build$"
        ):
            read(file, tmp_path / "c.json" if has_configurations else None)


def test_another_table_is_refused(tmp_path: Path, small_table: object) -> None:
    small_table.save(tmp_path / "cells.hdf5")  # type: ignore[attr-defined]
    with pytest.raises(NetworkError, match="not a table of networks"):
        read_candidates(str(tmp_path / "cells.hdf5"))
