from __future__ import annotations

from pathlib import Path

from segpp_deploy.config import ClassTable
from segpp_deploy.packaging.texts import label_lines, say_whether_tried
from tests.support.plan_files import write_plan
from tests.support.tiny_graphs import tiny_metadata


def test_a_line_is_a_class() -> None:
    assert label_lines(ClassTable(("road", "side\nwalk", " sky  blue"))).content == "road\nside walk\nsky blue\n"


def test_whether_engines_were_tried(tmp_path: Path) -> None:
    untried = write_plan(tmp_path / "a.engine", tiny_metadata()).manifest
    tried = untried.model_copy(update={"tried": True})
    assert "ran once" in say_whether_tried(tried)
    assert "could not be run" in say_whether_tried(untried)
    assert say_whether_tried(tried, tried).startswith("Each")
    assert say_whether_tried(tried, untried).startswith("Not all")
