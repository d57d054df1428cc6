"""Compiled functions: where Numba can keep nothing on disk, is switched off, or is not there."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from pyg_nas.compute import jit
from pyg_nas.compute.jit import ENGINE_VARIABLE, Floats, compiled, compiled_enabled
from pyg_nas.errors import SettingsError


def test_compiles_what_it_cannot_keep(caplog: pytest.LogCaptureFixture) -> None:
    """A function without a file has no place for its compiled form, as in a read-only install."""
    jit._warn_unstored.cache_clear()
    names: dict[str, object] = {}
    exec("def double(x):\n    return 2 * x", names)
    double = compiled(names["double"])  # type: ignore[type-var]
    assert double(21) == 42
    compiled(names["double"])  # type: ignore[type-var]
    assert caplog.text.count("set NUMBA_CACHE_DIR to a folder") == 1


def test_a_compiled_function_contains_those_that_it_calls() -> None:
    """Else a process that compiles calls other machine code than one that loads what is stored."""
    from pyg_nas.engine.compiled.residual_trainer import _normalise, _normalise_back

    def back_and_forth(states: Floats, normal: Floats, scale: Floats) -> None:
        for _ in range(2):
            _normalise(states, normal, scale)
            _normalise_back(states, normal, scale, states)
        _normalise(states, normal, scale)
        _normalise_back(states, normal, scale, states)

    caller: Any = compiled(back_and_forth)
    caller(np.eye(3, dtype=np.float32), np.ones((3, 3), np.float32), np.ones(3, np.float32))
    (code,) = caller.inspect_asm().values()
    assert "back_and_forth" in code
    environment = "NumbaEnv"  # of Python objects, which every function has
    named = [line for line in code.splitlines() if "_normalise" in line]
    assert all(environment in line for line in named)


@pytest.mark.parametrize(("engine", "expected"), [("auto", True), ("torch", False)])
def test_the_environment_decides(
    engine: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENGINE_VARIABLE, engine)
    assert compiled_enabled() is expected


def test_unknown_engines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENGINE_VARIABLE, "numba")
    with pytest.raises(SettingsError, match=r"PYG_NAS_ENGINE must be auto or torch, got 'numba'"):
        compiled_enabled()


# Trains, scores the space's cells and predicts with residual networks; prints what was predicted.
PROGRAM = """
import numpy as np
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.gnn.gcn import GCNRegressor
from pyg_nas.predictors.gnn.residual import ResidualGNNRegressor

cells = sample_cells(40, seed=0)
y = cells.trainable_parameters() / 5e7
found = [
    GCNRegressor(hidden=8, head=8, epochs=3, device="cpu").fit(cells, y).predict(cells[:5]),
    ResidualGNNRegressor(2, 8, epochs=3, device="cpu").fit(cells, y).predict(cells[:5]),
]
found = np.concatenate(found).tolist()
"""
NO_NUMBA = f"import sys; sys.modules['numba'] = None\n{PROGRAM}print(*found)"
# torch_geometric imports Numba too; the package's own kernels are what must stay away.
SWITCHED_OFF = f"""
import os, sys
os.environ["{ENGINE_VARIABLE}"] = "torch"
{PROGRAM}print(*found)
assert not [name for name in sys.modules if 'pyg_nas.engine.compiled' in name]
"""
NO_GEMM = f"""
os.environ["{ENGINE_VARIABLE}"] = "auto"
import numba.np.linalg
del numba.np.linalg._BLAS
{PROGRAM}print(*found)
"""


@pytest.mark.parametrize(
    "program", [NO_NUMBA, SWITCHED_OFF + NO_GEMM], ids=["no Numba", "switched off"]
)
def test_without_numba_the_numbers_are_the_same(program: str) -> None:
    names: dict[str, list[float]] = {}
    exec(PROGRAM, names)
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        assert list(map(float, line.split())) == pytest.approx(names["found"], abs=1e-5)


LOGGED = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
from pyg_nas.compute.jit import compiled, compiled_enabled
assert compiled_enabled()
compiled(lambda x: x + 1)(1)
compiled(lambda x: x + 2)(1)
"""


def test_the_first_compilation_of_a_process_is_logged() -> None:
    command = [sys.executable, "-c", LOGGED]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.count("compiling machine code for its first use") == 1
