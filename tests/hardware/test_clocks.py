"""Clocks and temperatures, from files and tables of the form that Linux and `nvidia-smi` give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.hardware import clocks
from segpp_deploy.hardware.clocks import Clock, Reading, parse_gpus, read_clocks, read_sensors, read_temperatures


def write_files(folder: Path, **texts: str) -> None:
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(f"{text}\n")


def add_policy(sys: Path, number: int, now_khz: int, low_khz: int, high_khz: int, governor: str = "schedutil") -> None:
    write_files(
        sys / f"devices/system/cpu/cpufreq/policy{number}",
        scaling_cur_freq=str(now_khz),
        scaling_min_freq=str(low_khz),
        scaling_max_freq=str(high_khz),
        scaling_governor=governor,
    )


def add_device(sys: Path, name: str, now_hz: int, low_hz: int, high_hz: int, governor: str = "nvhost_podgov") -> None:
    texts = {"cur_freq": str(now_hz), "min_freq": str(low_hz), "max_freq": str(high_hz), "governor": governor}
    write_files(sys / "class/devfreq" / name, **texts)


def add_zone(sys: Path, number: int, name: str, millidegrees: str) -> None:
    write_files(sys / f"class/thermal/thermal_zone{number}", type=name, temp=millidegrees)


def test_an_orin_whose_clocks_float(tmp_path: Path) -> None:
    for number, now_khz in ((0, 729_600), (4, 1_190_400)):
        add_policy(tmp_path, number, now_khz, 729_600, 2_201_600)
    add_device(tmp_path, "17000000.gpu", 306_000_000, 306_000_000, 1_300_500_000)
    add_device(tmp_path, "15340000.vic", 115_200_000, 115_200_000, 729_600_000)
    cpu, gpu = read_clocks(tmp_path)
    assert cpu == Clock("CPU", 960.0, 729.6, 2201.6, "schedutil")
    assert gpu == Clock("GPU", 306.0, 306.0, 1300.5, "nvhost_podgov")
    assert cpu.floats
    assert gpu.floats


def test_after_jetson_clocks_nothing_floats(tmp_path: Path) -> None:
    add_policy(tmp_path, 0, 2_201_600, 2_201_600, 2_201_600)
    add_device(tmp_path, "17000000.ga10b", 1_300_500_000, 1_300_500_000, 1_300_500_000)
    assert [clock.floats for clock in read_clocks(tmp_path)] == [False, False]


def test_a_thor_has_two_clocks_of_its_gpu(tmp_path: Path) -> None:
    add_device(tmp_path, "gpu-gpc-0", 1_575_000_000, 315_000_000, 1_575_000_000)
    add_device(tmp_path, "gpu-nvd-0", 1_692_000_000, 315_000_000, 1_692_000_000)
    add_device(tmp_path, "bwmgr", 4_266_000_000, 665_600_000, 4_266_000_000, "userspace")
    assert [clock.name for clock in read_clocks(tmp_path)] == ["GPU 0", "GPU 1", "memory"]


def test_the_governor_may_pin_a_clock(tmp_path: Path) -> None:
    add_policy(tmp_path, 0, 3_400_000, 800_000, 3_400_000, "performance")
    assert not read_clocks(tmp_path)[0].floats


def test_machines_that_show_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert read_clocks(tmp_path) == ()
    assert read_sensors(tmp_path) == Reading()
    write_files(tmp_path / "devices/system/cpu/cpufreq/policy0", scaling_max_freq="<unknown>")
    assert read_clocks(tmp_path) == ()


def test_temperatures(tmp_path: Path) -> None:
    add_zone(tmp_path, 0, "cpu-thermal", "48531")
    add_zone(tmp_path, 1, "gpu-thermal", "-256000")  # the GPU is off
    add_zone(tmp_path, 2, "acpitz", "27800")
    add_zone(tmp_path, 3, "acpitz", "29800")
    write_files(tmp_path / "class/thermal/thermal_zone4", type="cv0-thermal")  # reading it fails
    assert read_temperatures(tmp_path) == {"cpu-thermal": 48.531, "acpitz": 29.8}


def test_a_gpu_with_a_driver_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '1980, 61'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    add_policy(tmp_path, 0, 2_000_000, 1_000_000, 3_000_000)
    assert read_sensors(tmp_path) == Reading({"CPU": 2000.0, "GPU 0": 1980.0}, {"GPU 0": 61.0})
    tool.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'; exit 9\n")
    assert clocks._ask_nvidia_smi() == Reading()


def test_what_nvidia_smi_does_not_know() -> None:
    assert parse_gpus("[N/A], [N/A]\n") == Reading()  # an integrated GPU
    assert parse_gpus("") == Reading()
