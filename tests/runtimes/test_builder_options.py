from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.builder_options import (
    BuilderOption,
    BuilderOptions,
    check_builder_options,
    parse_compute_capabilities,
)
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS

ALL = tuple(BuilderOption)
FULL = BuilderOptions(("8.9", "12.0"), 2, 4, 512, Path("times.cache"))


def test_all_settings_as_options() -> None:
    assert FULL.to_options() == {
        "compute-capability": "8.9,12.0",
        "opt-batch": "2",
        "max-batch": "4",
        "workspace-mib": "512",
        "timing-cache": "times.cache",
    }
    assert BuilderOptions().to_options() == {}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (BuilderOptions(), (1, 1, 8)),
        (BuilderOptions(max_batch=2), (1, 1, 2)),
        (BuilderOptions(opt_batch=12), (1, 12, 12)),
        (FULL, (1, 2, 4)),
    ],
)
def test_batches(settings: BuilderOptions, expected: tuple[int, int, int]) -> None:
    assert settings.batch_range == expected


@pytest.mark.parametrize("text", ["89", "sm_89", "8", "8.", "8.9.1", "", "a.b", "-8.9"])
def test_words_that_are_no_compute_capability(text: str) -> None:
    with pytest.raises(SegppError, match="is not a compute capability") as caught:
        parse_compute_capabilities([text])
    assert caught.value.fix == "--compute-capability 8.9"


def test_capabilities_are_sorted_and_named_once() -> None:
    assert parse_compute_capabilities(["12.0, 8.9", "8.9"]) == ("8.9", "12.0")
    assert parse_compute_capabilities([]) == ()


@pytest.mark.parametrize("name", [TargetName.CPU, TargetName.OPENVINO, TargetName.CUDA])
@pytest.mark.parametrize(
    "settings",
    [
        BuilderOptions(("8.9",)),
        BuilderOptions(max_batch=2),
        BuilderOptions(workspace_mib=64),
        BuilderOptions(timing_cache=Path("times.cache")),
    ],
)
def test_other_targets_take_none(name: TargetName, settings: BuilderOptions) -> None:
    (option,) = settings.to_options()
    with pytest.raises(SegppError, match=f"--{option} means nothing to the target {name}") as caught:
        check_builder_options(settings, TARGETS[name].builder_options, name, None)
    assert "it has none" in caught.value.expected


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (BuilderOptions(max_batch=0), "--max-batch 0 is out of range"),
        (BuilderOptions(opt_batch=-1), "--opt-batch -1 is out of range"),
        (BuilderOptions(opt_batch=5, max_batch=4), "--opt-batch 5 is out of range"),
        (BuilderOptions(workspace_mib=0), "--workspace-mib 0 is out of range"),
    ],
)
def test_values_that_make_no_sense(settings: BuilderOptions, complaint: str) -> None:
    with pytest.raises(SegppError, match=complaint):
        check_builder_options(settings, ALL, "tensorrt", None)


def test_a_fixed_batch_leaves_nothing_to_choose() -> None:
    with pytest.raises(SegppError, match="fixed at 2, so --max-batch has nothing to choose") as caught:
        check_builder_options(BuilderOptions(max_batch=4), ALL, "tensorrt", 2)
    assert "--batch dynamic" in caught.value.fix
    check_builder_options(FULL, ALL, "tensorrt", None)
