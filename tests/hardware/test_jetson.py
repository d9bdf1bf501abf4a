"""What a Jetson says of itself, from texts of the form that JetPack gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.hardware import jetson
from segpp_deploy.hardware.jetson import Jetson, find_jetson, parse_power_mode, parse_release

RELEASE = (
    "# R38 (release), REVISION: 2.1, GCID: 41844464, BOARD: generic, EABI: aarch64, DATE: Tue Sep 2 2025\n"
    "# KERNEL_VARIANT: oot\nTARGET_USERSPACE_LIB_DIR=nvidia\n"
)


def test_release() -> None:
    assert parse_release(RELEASE) == "38.2.1"
    assert parse_release("") == ""


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("NV Power Mode: 15W\n2\n", "15W"),
        ("NVPM WARN: fan mode is not set!\nNV Power Mode: MAXN_SUPER\n2\n", "MAXN_SUPER"),
        ("NVPM VERB: Current mode: NV Power Mode: MODE_30W\n1\n", "MODE_30W"),
        ("NVPM ERROR: optMask is 1, no request for power mode\n", ""),
        ("NV Power Mode:\n", ""),
    ],
)
def test_power_mode(text: str, mode: str) -> None:
    assert parse_power_mode(text) == mode


@pytest.fixture
def device_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The device tree of an Orin; no release and no nvpmodel, as in a container."""
    folder = tmp_path / "device-tree"
    folder.mkdir()
    (folder / "compatible").write_text("nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0")
    (folder / "model").write_text("NVIDIA Jetson AGX Orin Developer Kit\0")
    monkeypatch.setattr(jetson, "_DEVICE_TREE", folder)
    monkeypatch.setattr(jetson, "_RELEASE", tmp_path / "nv_tegra_release")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return folder


def test_a_jetson(device_tree: Path, tmp_path: Path) -> None:
    (tmp_path / "nv_tegra_release").write_text(RELEASE)
    tool = tmp_path / "nvpmodel"
    tool.write_text("#!/bin/sh\necho 'NV Power Mode: MAXN'; echo 0\n")
    tool.chmod(0o755)
    assert find_jetson() == Jetson("NVIDIA Jetson AGX Orin Developer Kit", "38.2.1", "MAXN")
    tool.write_text("#!/no/such/shell\n")
    assert find_jetson() == Jetson("NVIDIA Jetson AGX Orin Developer Kit", "38.2.1", "")


def test_in_a_container(device_tree: Path) -> None:
    assert find_jetson() == Jetson("NVIDIA Jetson AGX Orin Developer Kit", "", "")


def test_other_machines(device_tree: Path) -> None:
    (device_tree / "compatible").write_text("raspberrypi,5-model-b\0brcm,bcm2712\0")
    assert find_jetson() is None
    (device_tree / "compatible").unlink()
    assert find_jetson() is None
