"""Every block of docs/python.md runs; importing the package costs next to nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import segpp_deploy
from segpp_deploy.config import Size
from segpp_deploy.data.images import write_image
from segpp_deploy.data.scenes import generate_scene
from segpp_deploy.data.video_writer import open_video_writer
from segpp_deploy.errors import SegppError
from segpp_deploy.model.weights.cards import load_card, resolve_card_checkpoint
from tests.support.requirements import skip_or_fail

PAGE = Path(__file__).resolve().parent.parent / "docs/python.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
MOST_LINES = 8
SIZE = Size(256, 512)


@pytest.mark.slow
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        resolve_card_checkpoint(load_card("segformer_b0_scenes"))
    except SegppError as error:
        skip_or_fail("demo_model", f"the shipped model is not here: {error.what}")
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "street.jpg", generate_scene(3, SIZE).image)
    with open_video_writer(tmp_path / "drive.mp4", 25, SIZE) as video:
        for seed in range(2):
            video.write(generate_scene(seed, SIZE).image)
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), names)
    assert len(names["roads"]) == 2  # type: ignore[arg-type]


def test_the_way_through_is_short() -> None:
    assert len(BLOCKS[0].strip().splitlines()) <= MOST_LINES


def test_every_public_name_is_there() -> None:
    assert set(segpp_deploy.__all__) <= set(dir(segpp_deploy))
    for name in segpp_deploy.__all__:
        assert getattr(segpp_deploy, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'exprot'"):
        _ = segpp_deploy.exprot  # type: ignore[attr-defined]


def test_importing_loads_nothing() -> None:
    program = "import sys, segpp_deploy; print(*(name for name in sys.modules if not name.startswith('segpp_deploy')))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    third_party = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert {name for name in third_party if not name.startswith(("_", "sitecustomize", "__"))} == set()


def test_errors_speak_of_commands_only_where_one_was_used() -> None:
    with pytest.raises(SegppError) as caught:
        segpp_deploy.export("x.onnx", "segformer_b0_scenes", size="12")
    assert "--" not in str(caught.value)
    assert "Fix" not in str(caught.value)


def test_no_public_name_is_a_modules() -> None:
    """A module that is imported becomes an attribute of the package, in the place of a function of that name."""
    package = Path(segpp_deploy.__file__).parent
    assert [
        name for name in segpp_deploy.__all__ if (package / name).exists() or (package / f"{name}.py").exists()
    ] == []
