"""The project's own pytest plugins: what is missing is skipped and named, and fatal in CI; coverage has a gate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEST = """
import pytest

@pytest.mark.component({names})
def test_with_a_browser():
    pass
"""


def run_pytest(directory: Path, names: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (directory / "test_it.py").write_text(TEST.format(names=names))
    (directory / "pytest.ini").write_text("[pytest]\nmarkers =\n  component(*names): x\n")
    clean = {name: value for name, value in os.environ.items() if name not in {"CI", "PATH"}}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.tools.components", "-q", "-rs", str(directory)],
        env={**clean, "PATH": "", "PYTHONPATH": str(ROOT), **environment},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_missing_component_is_skipped_and_named(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, '"chromium"')
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    assert "chromium: 1 tests could not run; apt-get install chromium" in done.stdout
    assert "node: 1 tests could not run" in done.stdout


def test_a_missing_component_is_fatal_in_ci(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, '"chromium"', CI="1")
    assert done.returncode == 1
    assert "CI is set, so this is fatal" in done.stdout


@pytest.mark.parametrize(("ci", "outcome"), [("0", "1 skipped"), ("1", "1 failed")])
def test_a_package_that_cannot_be_imported_is_fatal_in_ci(tmp_path: Path, ci: str, outcome: str) -> None:
    (tmp_path / "test_other.py").write_text("import pytest\ndef test_it():\n    pytest.importorskip('netscape')\n")
    done = run_pytest(tmp_path, "", CI=ci)
    assert outcome in done.stdout, done.stdout


@pytest.mark.parametrize("ci", ["0", "1"])
def test_what_is_there_runs(tmp_path: Path, ci: str) -> None:
    done = run_pytest(tmp_path, "", CI=ci)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_an_unknown_component_is_a_mistake(tmp_path: Path) -> None:
    assert "unknown components: netscape" in run_pytest(tmp_path, '"netscape"').stdout


def test_the_stamp_of_the_set_up_follows_the_dependencies() -> None:
    script = (ROOT / ".ci" / "setup").read_text()
    assert "pyproject.toml" in script.partition("fingerprint()")[2].partition("}")[0]


@pytest.mark.parametrize("file", [".ci/setup", ".ci/test", ".ci/run"])
def test_scripts_are_executable_and_parse(file: str) -> None:
    assert os.access(ROOT / file, os.X_OK)
    subprocess.run(["bash", "-n", str(ROOT / file)], check=True, timeout=10)
