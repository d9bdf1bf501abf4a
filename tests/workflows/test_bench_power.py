"""What a benchmark says of power, clocks and runs without a pause, on figures of our own making."""

from __future__ import annotations

import json

import pytest

from segpp_deploy.evaluation.sustained import SustainedRun, Tenth
from segpp_deploy.hardware.clocks import Clock, Reading
from segpp_deploy.hardware.jetson import Jetson
from segpp_deploy.report.tables import to_markdown
from segpp_deploy.workflows.bench.power import PowerState, describe_power
from segpp_deploy.workflows.bench.sustained import describe_slowdown, sustained_table

ORIN = Jetson("NVIDIA Jetson AGX Orin Developer Kit", "36.4.0", "MAXN")
FLOATING = Clock("GPU", 306.0, 306.0, 1300.5, "nvhost_podgov")
PINNED = Clock("CPU", 2201.6, 2201.6, 2201.6, "schedutil")


def make_run(*medians_ms: float, readings: tuple[Reading, ...] = ()) -> SustainedRun:
    given = readings or (Reading(),) * len(medians_ms)
    return SustainedRun(
        60.0,
        tuple(Tenth(6.0 * (index + 1), (ms,) * 3, given[index]) for index, ms in enumerate(medians_ms)),
    )


def test_floating_clocks_of_a_jetson_are_warned_of() -> None:
    power = PowerState(ORIN, (PINNED, FLOATING))
    assert power.notes == (
        "Warning: clocks float (GPU), so figures scatter and are too slow. Pin them: sudo jetson_clocks",
    )
    assert dict(power.rows) == {
        "board": ORIN.board,
        "Linux for Tegra": "36.4.0",
        "power mode": "MAXN",
        "CPU clock": "2202 MHz",
        "GPU clock": "306 to 1300 MHz (nvhost_podgov)",
    }
    document = json.loads(json.dumps(power.to_dict()))
    assert (document["board"], document["l4t"], document["mode"]) == (ORIN.board, "36.4.0", "MAXN")
    assert [clock["floats"] for clock in document["clocks"]] == [False, True]


def test_no_warning_without_a_remedy() -> None:
    assert PowerState(ORIN, (PINNED,)).notes == ()
    assert PowerState(None, (FLOATING,)).notes == ()  # a PC
    assert PowerState().rows == []
    assert PowerState().to_dict() == {"board": "", "l4t": "", "mode": "", "clocks": []}


def test_this_machine_is_described() -> None:
    json.dumps(describe_power().to_dict())


def test_a_run_that_slows_down_is_warned_of() -> None:
    cool = Reading({"CPU": 2201.0, "GPU": 1300.0}, {"cpu-thermal": 41.0, "tj-thermal": 45.5})
    hot = Reading({"CPU": 2201.0, "GPU": 918.0}, {"cpu-thermal": 88.0, "tj-thermal": 96.5})
    run = make_run(10.0, 10.0, 13.0, readings=(cool, cool, hot))
    assert describe_slowdown("a.engine", run) == (
        "Warning: a.engine slowed down: 13.0 ms after 60 s without a pause, 10.0 ms at first "
        "(GPU from 1300 to 918 MHz; tj-thermal at 96 °C)."
    )
    table = to_markdown(sustained_table("a.engine", run, batch=2))
    assert "| until s | calls | median ms | p99 | images/s | CPU MHz | GPU MHz | hottest °C |" in table
    assert "| 18.0 | 3 | 13.0 | 13.0 | 153.85 | 2201 | 918 | 96 |" in table


@pytest.mark.parametrize("last", [9.0, 10.0, 10.4])
def test_noise_is_no_slowdown(last: float) -> None:
    assert describe_slowdown("a.engine", make_run(10.0, 12.0, last)) == ""


def test_machines_that_show_no_sensors() -> None:
    run = make_run(10.0, 20.0)
    assert describe_slowdown("a.engine", run).endswith("10.0 ms at first.")
    headings = [column.heading for column in sustained_table("a.engine", run, batch=1).columns]
    assert headings == ["until s", "calls", "median ms", "p99", "images/s"]


def test_a_sensor_that_comes_and_goes() -> None:
    run = make_run(10.0, 20.0, readings=(Reading(), Reading({"GPU": 900.0}, {"gpu-thermal": 60.0})))
    assert [row[-2:] for row in sustained_table("a.engine", run, batch=1).rows] == [("-", "-"), ("900", "60")]
    assert "gpu-thermal at 60 °C" in describe_slowdown("a.engine", run)
