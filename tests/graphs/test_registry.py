from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import SpaceError
from pyg_nas.graphs import registry
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.registry import (
    default_space,
    find_space,
    missing_network,
    open_space,
    package_spaces,
    register_space,
    space_names,
    space_reference,
)
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.graphs.space_support import SpaceSupport
from pyg_nas.spaces.nasbench101 import NASBENCH101


class ChainSupport(SpaceSupport):
    budgets = (3,)

    def to_text(self, cell: Cell) -> str:
        return "-".join(cell.operations)


CHAINS = ChainSupport(SearchSpace("chains", ("a", "b"), 4, 3))


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_supports", dict(registry._supports))
    monkeypatch.setattr(registry, "_references", dict(registry._references))
    registry.support_of.cache_clear()
    yield
    registry.support_of.cache_clear()
    registry._entry_points.cache_clear()


def test_the_default_space_is_found_by_its_name() -> None:
    assert default_space() is NASBENCH101
    assert find_space("nasbench101") is NASBENCH101
    assert "nasbench101" in space_names()


def test_registered_spaces_are_not_of_the_package() -> None:
    before = package_spaces()
    register_space(CHAINS)
    assert package_spaces() == before
    assert before[0] is default_space()
    assert {space.name for space in before} <= set(space_names())


def test_an_unknown_name_is_refused_and_the_known_ones_listed() -> None:
    with pytest.raises(SpaceError, match=r"'nasbench102' is not one of .*nasbench101"):
        find_space("nasbench102")


def test_a_registered_space_is_asked_wherever_it_comes_from() -> None:
    same = SearchSpace.from_dict(CHAINS.space.to_dict())
    assert same.support.budgets == ()
    register_space(CHAINS)
    register_space(CHAINS)
    assert same.support is CHAINS
    assert find_space("chains") is CHAINS.space
    assert Cell([[0, 1], [0, 0]], ["a", "b"], same).to_text() == "a-b"


@pytest.mark.parametrize("name", ["chains", "nasbench101"])
def test_a_name_belongs_to_one_space(name: str) -> None:
    register_space(CHAINS)
    with pytest.raises(SpaceError, match=f"search space '{name}' is registered already"):
        register_space(SpaceSupport(SearchSpace(name, ("c",), 4, 3)))


def test_a_package_adds_its_space_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    def points(group: str) -> list[EntryPoint]:
        return [EntryPoint("chains", f"{__name__}:CHAINS", group)]

    monkeypatch.setattr(registry, "entry_points", points)
    registry._entry_points.cache_clear()
    assert find_space("chains").support is CHAINS
    assert "chains" in space_names()


def test_an_entry_point_of_another_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def points(group: str) -> list[EntryPoint]:
        return [EntryPoint("ladders", f"{__name__}:CHAINS", group)]

    monkeypatch.setattr(registry, "entry_points", points)
    registry._entry_points.cache_clear()
    with pytest.raises(SpaceError, match="is the support of 'chains', not of 'ladders'"):
        find_space("ladders")


def test_any_other_space_has_general_answers() -> None:
    support = CHAINS.space.support
    assert type(support) is SpaceSupport
    assert support.network is None
    cells = CellArray.from_cells([Cell([[0, 1], [0, 0]], ["a", "b"], CHAINS.space)])
    assert support.work_features(cells) == []
    assert support.first_invalid(cells) is None
    with pytest.raises(SpaceError, match="cannot be enumerated"):
        support.cells()
    small = SearchSpace("small", ("a",), 3, 3, ("out", "in")).support
    assert len(small.cells()) == 3
    np.testing.assert_array_equal(small.hashes(), small.cells().hashes())


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("no_such_module:SPACE", "cannot be imported"),
        (f"{__name__}:np", "is no search space"),
    ],
)
def test_an_invalid_entry_point_is_refused(
    target: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [EntryPoint("ladders", target, group)]
    )
    registry._entry_points.cache_clear()
    with pytest.raises(SpaceError, match=f"search space 'ladders': .*{why}"):
        find_space("ladders")


def test_a_user_opens_a_space_by_name_or_module() -> None:
    assert open_space("nasbench101") is NASBENCH101
    assert open_space(f"{__name__}:CHAINS") is CHAINS.space
    assert CHAINS.space.support is CHAINS
    assert space_reference(CHAINS.space) == f"{__name__}:CHAINS"
    assert space_reference(NASBENCH101) is None
    with pytest.raises(SpaceError, match=r"nor file\.py:NAME of a space of yours"):
        open_space("nasbench102")
    with pytest.raises(SpaceError, match="must be a search space"):
        open_space(f"{__name__}:registry")
    with pytest.raises(SpaceError, match=r"'nasbench\.py:SPACE' is not one of"):
        find_space("nasbench.py:SPACE")  # what a file contains is never imported


def test_a_missing_network_is_explained() -> None:
    assert "FILE.py:NAME with the argument `space`" in missing_network(CHAINS.space)
    register_space(CHAINS)
    changed = SearchSpace("chains", ("a", "c"), 4, 3)
    assert missing_network(changed) == (
        "the space 'chains' has changed since: its operations were ['a', 'c'] and are ['a', 'b']"
    )


PACKAGE = Path(registry.__file__).parents[1]
BENCHMARKS = "|".join(registry._locations)
# Replacements of the packages of one benchmark, and the public names of the datasets.
OF_ONE_SPACE = ("spaces/", "nasbench/", "nats_bench.py", "data/datasets/of_spaces.py")


def names_of_spaces(path: Path) -> Iterator[str]:
    """Names of a benchmark's space that the code of a module has: in imports, names and strings.

    Docstrings and texts with spaces, such as help, may have examples.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom(module=str(module)):
                found = [module, *(alias.name for alias in node.names)]
            case ast.Import():
                found = [alias.name for alias in node.names]
            case ast.Constant(value=str(text)) if " " not in text:
                found = [text]
            case ast.Name(id=name) | ast.Attribute(attr=name):
                found = [name]
            case _:
                continue
        yield from (name for name in found if re.search(BENCHMARKS, name, re.IGNORECASE))


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != Path(registry.__file__)
        and not path.relative_to(PACKAGE).as_posix().startswith(OF_ONE_SPACE)
    ],
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_only_the_registry_names_a_space_of_a_benchmark(path: Path) -> None:
    assert not list(names_of_spaces(path))


def test_names_of_spaces_are_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "import pyg_nas.spaces.nasbench201\n"
        "from pyg_nas.spaces import NASBENCH101, transnasbench101\n"
        "if space == NASBENCH101 or space.name == 'nasbench201': 'such as nasbench101'\n"
    )
    assert len(list(names_of_spaces(module))) == 5
