"""The Dockerfiles, as far as that can be told without Docker: what they copy is there, what they run is spelled right.

`make lint` runs hadolint on them. No image was built; docs/installing.md says so.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from benchmarks.declared import extra_names
from segpp_deploy.commands import PROGRAM
from segpp_deploy.packaging.triton.containers import TENSORRT_VERSIONS
from segpp_deploy.plugin_library.architectures import parse_architectures
from segpp_deploy.plugin_library.library import LIBRARY_NAMES, LIBRARY_VARIABLE
from segpp_deploy.plugin_library.sources import LibraryKind
from segpp_deploy.versions import COMMIT_NAME
from tests.support.command_lines import parse

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
NEEDED_BY_BUILDS = {"LICENSE", "README.md", "pyproject.toml", "setup.py", "segpp_deploy", "models", "plugins"}

every_file = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)


def instructions(path: Path) -> list[tuple[str, str]]:
    """Return each instruction and the rest of its line, continued lines joined."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest) for line in joined.splitlines() for word, _, rest in [line.partition(" ")]]


def values_of(path: Path, instruction: str) -> list[str]:
    return [rest for word, rest in instructions(path) if word == instruction]


def arguments(path: Path) -> dict[str, str]:
    """Return the build arguments and what they are if nobody says otherwise."""
    return dict(value.split("=", 1) for value in values_of(path, "ARG"))


def copied(path: Path) -> list[str]:
    """Return what is copied from the checkout."""
    lines = [shlex.split(value) for value in values_of(path, "COPY") if "--from" not in value]
    return [source for line in lines for source in line[:-1]]


def ignored(name: str) -> bool:
    """Whether .dockerignore keeps a file from Docker; the last line that fits decides."""
    result = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.lstrip("!")
        if not line.startswith("#") and (fnmatch.fnmatch(name, pattern) or name.startswith(f"{pattern}/")):
            result = not line.startswith("!")
    return result


def test_there_are_two() -> None:
    assert [path.name for path in DOCKERFILES] == ["gpu.Dockerfile", "jetpack.Dockerfile"]


@every_file
def test_what_is_copied_is_there_and_handed_to_docker(path: Path) -> None:
    for name in copied(path):
        files = (
            [ROOT / name] if (ROOT / name).is_file() else [file for file in (ROOT / name).glob("*") if file.is_file()]
        )
        assert files, name
        assert [file for file in files if ignored(file.relative_to(ROOT).as_posix())] == []


def test_nothing_else_is_handed_to_docker() -> None:
    names = {".git", ".venv", "dist", "build", "street.onnx", "fast.engine", "benchmarks", "tests", "docs"}
    assert {name for name in names if not ignored(name)} == set()
    assert ignored("segpp_deploy/__pycache__")


@every_file
def test_all_that_a_wheel_is_made_of_is_copied(path: Path) -> None:
    assert set(copied(path)) >= NEEDED_BY_BUILDS
    assert f"segpp_deploy/{COMMIT_NAME}" in " ".join(values_of(path, "RUN"))


@every_file
def test_extras_exist(path: Path) -> None:
    assert set(arguments(path)["EXTRAS"].split(",")) <= set(extra_names())


@every_file
def test_shell_lines_parse(path: Path) -> None:
    for line in values_of(path, "RUN"):
        subprocess.run(["sh", "-n", "-c", line], check=True)


@every_file
def test_our_commands_parse(path: Path) -> None:
    (entry,), (command,) = (values_of(path, word) for word in ("ENTRYPOINT", "CMD"))
    assert json.loads(entry) == [PROGRAM]
    parse(json.loads(command))
    words = shlex.split(next(line for line in values_of(path, "RUN") if PROGRAM in line))
    line = words[words.index(PROGRAM) + 1 : words.index("&&")]
    architectures = arguments(path).get("ARCHITECTURES", "87")
    assert line == ["plugins", "build", "--arch", "$ARCHITECTURES" if "ARCHITECTURES" in arguments(path) else "87"]
    assert parse_architectures([architectures]) == tuple(architectures.split(","))
    examples = re.findall(r"segpp-deploy:\w+ \\\n#\s+(.*)", path.read_text())
    assert examples
    for example in examples:
        parse(shlex.split(example))


@every_file
def test_the_library_is_found_where_it_is_put(path: Path) -> None:
    variables = dict(value.split("=", 1) for value in values_of(path, "ENV"))
    folder, _, name = variables[LIBRARY_VARIABLE].rpartition("/")
    assert name == LIBRARY_NAMES[LibraryKind.CUDA]
    assert any(line.split(" && ")[1].endswith(f"/plugins/{LibraryKind.CUDA}-* {folder}") for line in plugin_lines(path))


def plugin_lines(path: Path) -> list[str]:
    return [line for line in values_of(path, "RUN") if "plugins build" in line]


@every_file
def test_programs_do_not_run_as_root(path: Path) -> None:
    *_, user = values_of(path, "USER")
    assert int(user) >= 1000


def test_triton_can_serve_what_the_image_builds() -> None:
    assert arguments(DOCKERFILES[0])["RELEASE"] in TENSORRT_VERSIONS
