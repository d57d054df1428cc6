"""The command that exports a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from typer.testing import CliRunner

from pyg_nas import GCNRegressor, Table, save_model
from pyg_nas.cli.app import app


def test_a_program_scores_as_its_model(small_table: Table, tmp_path: Path) -> None:
    cells = small_table.cells[:40]
    model = GCNRegressor(hidden=8, epochs=1, device="cpu").fit(cells, small_table.label()[:40])
    save_model(model, tmp_path / "m")
    out = tmp_path / "m.pt2"
    result = CliRunner().invoke(app, ["export", str(tmp_path / "m"), "--out", str(out)])
    assert result.exit_code == 0, result.output
    arrays = cells.adjacency, cells.operations, cells.num_vertices
    program = torch.export.load(out).module()
    scores = program(*(torch.as_tensor(np.array(array)) for array in arrays))
    np.testing.assert_allclose(scores.detach(), model.predict(cells), atol=1e-6)
