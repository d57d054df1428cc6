"""The conda file, the constraints and pyproject.toml must not drift apart."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no TOML reader")


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_conda_file_has_exactly_the_project_s_pins(project: dict) -> None:
    lines = (ROOT / "environment.yml").read_text().splitlines()
    pins = {line.strip()[2:] for line in lines if line.startswith("      - ")}
    assert pins == set(project["dependencies"])


def test_the_documentation_needs_what_the_project_declares(project: dict) -> None:
    declared = set(project["dependencies"]) | set(project["optional-dependencies"]["docs"])
    lines = (ROOT / "docs" / "requirements.txt").read_text().splitlines()
    assert {line for line in lines if not line.startswith("#")} <= declared


def test_the_source_distribution_has_all_that_its_tests_and_documents_need() -> None:
    lines = (ROOT / "MANIFEST.in").read_text().splitlines()
    listed = {name for line in lines for name in line.split()[1:]}
    always = {"LICENSE", "MANIFEST.in", "README.md", "pyg_nas", "pyproject.toml"}
    skipped = {".git", ".gitignore"}
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if names.returncode != 0:
        pytest.skip("not a clone")
    committed = {Path(name).parts[0] for name in names.stdout.split("\0") if name}
    assert committed - skipped <= listed | always


def test_the_lowest_versions_are_those_that_the_project_declares(project: dict) -> None:
    from packaging.requirements import Requirement

    lines = (ROOT / "constraints-lowest.txt").read_text().splitlines()
    lowest = [Requirement(line) for line in lines if not line.startswith("#")]
    exact = {entry.name: next(iter(entry.specifier)).version for entry in lowest}
    for text in project["dependencies"]:
        requirement = Requirement(text)
        if requirement.name == "torch":  # one version serves all environments of CI
            continue
        (specifier,) = (part for part in requirement.specifier if part.operator == ">=")
        found, declared = exact[requirement.name], specifier.version
        assert found == declared or found == f"{declared}.0", text


def test_constraints_satisfy_the_project_s_ranges(project: dict) -> None:
    from packaging.requirements import Requirement

    exact = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            exact[requirement.name] = next(iter(requirement.specifier)).version
    extras = [entry for extra in project["optional-dependencies"].values() for entry in extra]
    for text in project["dependencies"] + extras:
        requirement = Requirement(text)
        if requirement.name in exact:
            assert requirement.specifier.contains(exact[requirement.name]), text
    named = {Requirement(text).name for text in project["dependencies"]}
    assert named <= set(exact), "every run-time dependency has a tested version"


def test_versions_without_a_marker_are_for_every_supported_python() -> None:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    for line in (ROOT / "constraints.txt").read_text().splitlines():
        requirement = Requirement(line) if line and not line.startswith("#") else None
        if requirement is None or requirement.marker is not None:
            continue
        try:
            found = metadata.metadata(requirement.name)
        except metadata.PackageNotFoundError:
            continue
        if requirement.specifier.contains(found["Version"]):
            assert SpecifierSet(found["Requires-Python"] or "").contains("3.10"), line


def test_supported_pythons_agree(project: dict) -> None:
    lowest, past = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"]).groups()
    assert int(lowest) <= sys.version_info[1] < int(past)
    named = [line.rpartition("3.")[2] for line in project["classifiers"] if "Python :: 3." in line]
    assert [int(minor) for minor in named] == list(range(int(lowest), int(past)))
    conda = (ROOT / "environment.yml").read_text()
    assert f"- python{project['requires-python']}\n" in conda
    assert f"Python 3.{lowest} to 3.{int(past) - 1}" in (ROOT / "README.md").read_text()


def test_no_script_of_the_data_is_installed() -> None:
    assert not list((ROOT / "datasets").glob("*.py"))


def test_every_package_folder_is_installed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "pyg_nas").rglob("__init__.py")}
    expected = {".".join(folder.parts) for folder in folders}
    assert set(listed) == expected | {"pyg_nas._resources"}


def test_the_subset_of_the_makefile_is_there() -> None:
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    listed = re.search(r"^SUBSET := \$\(addprefix tests/,(.*?)\)$", text, re.MULTILINE)
    assert listed is not None
    assert not [part for part in listed[1].split() if not (ROOT / "tests" / part).exists()]


def test_messages_name_extras_of_the_project(project: dict) -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "pyg_nas").rglob("*.py")]
    named = re.findall(r'needs_extra\([^)]*, "(\w+)"\)', "\n".join(sources))
    assert len(named) >= 7
    assert set(named) <= set(project["optional-dependencies"])
