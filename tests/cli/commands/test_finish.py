"""``pyg-nas finish``: from a search on images to a folder that works with torch alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from pyg_nas.cli.app import app
from pyg_nas.cli.commands.finish import finish
from pyg_nas.errors import SettingsError
from pyg_nas.search.confirmation import Confirmation
from pyg_nas.search.finish import Finish
from tests.cli.command import pyg_nas
from tests.conftest import undrawn
from tests.measure.conftest import TINY_SETTINGS, save_tiny_images
from tests.measure.images import settings_file


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finish")
    images = save_tiny_images(root)
    changes = {**TINY_SETTINGS.to_dict(), "stem_channels": 6}
    settings = settings_file(root, **changes)
    with undrawn():
        code = pyg_nas(
            "search", images, "--out", root / "search", "--settings", settings,
            "--method", "random", "--n", 3, "--k", 1, "--budget", 2, "--device", "cpu",
        )  # fmt: skip
    assert code == 0
    return root


def test_the_network_works_with_torch_alone(searched: Path, tmp_path: Path) -> None:
    out = tmp_path / "net"
    arguments = [
        "finish", str(searched / "search"), "--out", str(out), "--top", "2", "--seeds", "2",
        "--epochs", "4", "--device", "cpu",
    ]  # fmt: skip
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, f"{result.output} {result.exception!r}"
    about = json.loads((out / "settings.json").read_text())["about"]
    assert f"{100 * about['test']['accuracy']:.2f} %" in result.output
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 0
    assert "is already finished" in again.output

    task = Finish(searched / "search", tmp_path / "other", top=2, seeds=2).task
    torch.save(torch.from_numpy(task.test.images), tmp_path / "images.pt")
    # Without this package, and in a folder of its own.
    source = (
        "import runpy, sys; sys.argv = ['predict.py', 'images.pt']; "
        f"runpy.run_path({str(out / 'predict.py')!r}, run_name='__main__'); "
        "assert not {'pyg_nas', 'torch_geometric', 'PIL', 'onnx'} & set(sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PATH": "", "OMP_NUM_THREADS": "1"}, timeout=200,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    named = [task.classes[label] for label in task.test.labels]
    right = sum(one == other for one, other in zip(found.stdout.split(), named, strict=True))
    assert right == about["test"]["correct"]


def test_a_table_search_and_a_missing_folder_are_refused_in_one_line(
    searched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "search" / "settings.json"
    shutil.copytree(searched / "search", path.parent)
    settings = json.loads(path.read_text())
    settings["evaluator"] = {"evaluator": "table"}
    path.write_text(json.dumps(settings))
    for folder, message in (
        (path.parent, "is a search on a table; only a search on a task"),
        (tmp_path / "none", "no such folder"),
        (path, "is a file, a folder is needed"),
    ):
        assert pyg_nas("finish", folder, "--out", tmp_path / "net", "--device", "cpu") == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    assert not (tmp_path / "net").exists()
    network = ("--out", tmp_path / "net", "--device", "cpu", "--space", "nasbench201")
    assert pyg_nas("finish", searched / "search", *network) == 2
    assert "is a search in the space nasbench101" in capsys.readouterr().err
    assert not (tmp_path / "net").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("--seeds", 1), ("--epochs", 0), ("--backend", "x"), ("--log", "x")]
)
def test_options_are_checked_before_a_space_is_imported(
    option: str, value: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = f"{tmp_path / 'none.py'}:SPACE"
    assert (
        pyg_nas("finish", tmp_path, "--out", tmp_path / "a", "--space", space, option, value) == 2
    )
    message = capsys.readouterr().err
    assert "none.py" not in message
    assert option.strip("-") in message


def test_ctrl_c_prints_how_to_resume(
    searched: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Finish, "train", stop)
    options = ("--top", 1, "--seeds", 2, "--device", "cpu")
    assert pyg_nas("finish", searched / "search", "--out", tmp_path / "net", *options) == 130
    assert "the same command resumes" in capsys.readouterr().out
    assert not (tmp_path / "net").exists()
    assert finish.__doc__ is not None
    assert "Example: pyg-nas finish" in finish.__doc__


def test_a_logger_that_cannot_start_is_refused_before_the_runs(
    searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot_start(_: object) -> None:
        raise SettingsError("mlflow cannot start")

    monkeypatch.setattr("pyg_nas.cli.commands.finish.open_logger", cannot_start)
    monkeypatch.setattr(Finish, "confirm", lambda *_: pytest.fail("runs were trained"))
    options = ("--top", 1, "--seeds", 2, "--device", "cpu")
    assert pyg_nas("finish", searched / "search", "--out", tmp_path / "net", *options) == 2


@pytest.mark.usefixtures("undrawn")
def test_a_metric_of_the_users_is_named_again(
    searched: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "metric_to_finish.py"
    file.write_text("def score(labels, predictions):\n    return float((labels == 0).mean())\n")
    search, options = tmp_path / "search", ("--device", "cpu", "--metric", f"{file}:score")
    code = pyg_nas(
        "search", searched / "tiny.npz", "--out", search, "--settings", searched / "settings.json",
        "--method", "random", "--n", 1, "--k", 1, "--budget", 1, *options,
    )  # fmt: skip
    assert code == 0
    capsys.readouterr()
    monkeypatch.delitem(sys.modules, "metric_to_finish")
    finishing = ("finish", search, "--out", tmp_path / "net", "--top", 1, "--seeds", 2)
    for given in (("--device", "cpu"), ("--device", "cpu", "--metric", "os:getcwd")):
        assert pyg_nas(*finishing, *given) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "name it with --metric" in line
    assert pyg_nas("report", search, "--out", tmp_path / "report.html") == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'a network, with <span class="option">--metric</span> as for the search:' in page
    assert "metric_to_finish" not in sys.modules

    shares: list[float] = []

    def stop(_: Finish, confirmation: Confirmation, *__: object) -> None:
        shares.extend(confirmation.accuracies.flat)
        raise KeyboardInterrupt

    monkeypatch.setattr(Finish, "train", stop)
    assert pyg_nas(*finishing, *options) == 130
    task = Finish(search, tmp_path / "other", top=1, seeds=2, metric=options[-1]).task
    assert shares == [pytest.approx((task.validation.labels == 0).mean())] * 2
