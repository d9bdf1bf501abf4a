"""The commit is the one recorded in the package, or the checkout's, not that of others; `--version` is light."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from segpp_deploy import __version__, versions
from segpp_deploy.cli.main import run_command
from segpp_deploy.plugin_library.library import LIBRARY_VARIABLE

HEAVY = ("torch", "numpy", "onnx", "onnxruntime", "openvino", "cv2", "tensorrt_rtx", "pydantic", "yaml")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package, in a folder of its own."""
    folder = tmp_path / "checkout/segpp_deploy"
    folder.mkdir(parents=True)
    monkeypatch.setattr(versions, "_PACKAGE", folder)
    return folder


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    command = ["git", "-C", str(folder), *identity, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def commit_all(folder: Path) -> str:
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "One")
    return git(folder, "rev-parse", "--short", "HEAD")


def test_a_checkout_knows_its_commit(package: Path) -> None:
    (package.parent / "pyproject.toml").write_text("")
    commit = commit_all(package.parent)
    assert versions.find_commit() == commit
    (package.parent / "pyproject.toml").write_text("changed")
    assert versions.find_commit() == f"{commit}-dirty"


def test_the_recorded_commit_is_believed(package: Path) -> None:
    (package / versions.COMMIT_NAME).write_text("abc1234\n")
    assert versions.find_commit() == "abc1234"


def test_the_repository_of_others_is_not_asked(package: Path) -> None:
    (package.parent / "README").write_text("")
    commit_all(package.parent)
    assert versions.find_commit() is None


def test_what_git_cannot_say_is_unknown(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package.parent / "pyproject.toml").write_text("")
    git(package.parent, "init", "-q")  # and no commit
    assert versions.find_commit() is None
    monkeypatch.setenv("PATH", "")
    assert versions.find_commit() is None


def test_missing_packages_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "_PACKAGES", {"nothing": ("no-such-package",), "array": ("no-such", "numpy")})
    assert versions.installed_packages() == {"array": metadata.version("numpy")}


def test_version(package: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (package / versions.COMMIT_NAME).write_text("abc1234\n")
    monkeypatch.setenv(LIBRARY_VARIABLE, "some.so")
    assert run_command(["--version"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"segpp-deploy {__version__}"
    facts = dict(line.split(": ") for line in lines)
    assert (facts["commit"], facts["TensorRT plugins"]) == ("abc1234", "built")
    assert facts["torch"] == metadata.version("torch")
    assert re.match(r"\w+ 3\.\d+\.\d+ on \w+ \w+$", facts["Python"])


def test_plugins_that_were_not_built(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.delenv(LIBRARY_VARIABLE, raising=False)
    monkeypatch.setenv("SEGPP_CACHE", str(tmp_path))
    run_command(["--version"])
    assert "TensorRT plugins: not built" in capsys.readouterr().out.splitlines()


def test_nothing_heavy_is_loaded() -> None:
    program = f"""
import sys
from segpp_deploy.cli.main import run_command
run_command(["--version"])
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
