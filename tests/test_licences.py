"""docs/licences.md shows what was recorded, and that covers every dependency that pyproject.toml names for users."""

from __future__ import annotations

import json
from pathlib import Path

from packaging.utils import canonicalize_name

from benchmarks.declared import declared, extra_names
from benchmarks.pages.licences import PAGE, RESULT, is_strict, remarks, render_page
from benchmarks.toolchain.licences import (
    ELSEWHERE,
    EXTRAS,
    FOR_DEVELOPMENT,
    closure,
    find_carried,
    licence_of,
    who_asks,
)

RECORD = json.loads(RESULT.read_text())
ROWS = {row["package"]: row for row in RECORD["rows"]}
AGAIN = "run python -m benchmarks.toolchain.licences, and python -m benchmarks.pages.licences"


def test_every_dependency_is_listed() -> None:
    named = {canonicalize_name(requirement.name) for requirement in declared(EXTRAS)}
    assert {name for name, row in ROWS.items() if row["direct"]} == named, AGAIN
    assert RECORD["extras"] == list(EXTRAS) == [name for name in extra_names() if name not in FOR_DEVELOPMENT], AGAIN


def test_what_was_not_installed_is_what_cannot_be() -> None:
    assert {name for name, row in ROWS.items() if row["version"] is None} == set(ELSEWHERE)


def test_extras_are_named() -> None:
    assert ROWS["torch"]["asked_by"] == [""]
    assert ROWS["openvino"]["asked_by"] == ["openvino"]
    assert "gpu" in ROWS["tensorrt"]["asked_by"]


def test_the_page_shows_the_record() -> None:
    assert PAGE.read_text() == render_page(RECORD), AGAIN


def test_what_to_look_at_is_said() -> None:
    looked_at = remarks(RECORD["rows"])
    assert "`av` carries libx264" in looked_at["GPL"]
    assert "`tensorrt`" in looked_at["NVIDIA's own terms"]


def test_gpl() -> None:
    assert is_strict("GNU General Public License v3 (GPLv3)")
    assert is_strict("AGPL-3.0-only")
    assert not is_strict("GNU Lesser General Public License v2 or later (LGPLv2+)")
    assert not is_strict("MIT")


def packages(**requires: list[str]) -> dict[str, dict[str, list[str]]]:
    return {name: {"requires_dist": lines} for name, lines in requires.items()}


def test_requirements_are_followed_with_their_extras_and_markers() -> None:
    from packaging.requirements import Requirement

    here = packages(a=["b[more]", "c; python_version < '3'"], b=["d; extra == 'more'", "e; extra == 'other'"], d=["a"])
    here |= packages(c=[], e=[])
    assert closure(here, [Requirement("a")]) == {"a", "b", "d"}
    assert closure(here, [Requirement("b")]) == {"b"}
    assert closure(here, [Requirement("absent"), Requirement("tensorrt>=10")]) == {"tensorrt"}


def test_the_base_asks_first() -> None:
    here = packages(torch=["sympy"], sympy=[], onnxruntime=["sympy", "flatbuffers"], flatbuffers=[])
    asked = who_asks(here)
    assert asked["sympy"] == [""]
    assert asked["flatbuffers"] == ["cpu"]


def test_stated_licences() -> None:
    entry = {"License-Expression": "UNKNOWN", "License-Classifier": "UNKNOWN", "License-Metadata": "UNKNOWN"}
    assert licence_of(entry) == "UNKNOWN"
    assert licence_of({**entry, "License-Metadata": "MIT\nPermission is hereby granted"}) == "MIT"
    assert licence_of({**entry, "License-Expression": "MIT", "License-Classifier": "BSD"}) == "MIT"


def test_carried_libraries_are_found_by_name(tmp_path: Path) -> None:
    metadata = tmp_path / "codec-1.0.dist-info"
    metadata.mkdir()
    (metadata / "RECORD").write_text("codec.libs/libx264-a1.so.165,sha256=x,1\ncodec/libx265_notes.py,,\n")
    assert list(find_carried(metadata)) == ["libx264 (GPL-2.0-or-later)"]
