"""The benchmark of live streams: pictures that say when they were taken, and what counts as good."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.toolchain import live_streams
from benchmarks.toolchain.coded_picture import HEIGHT, WIDTH, Camera, clock_ms, elapsed_ms, read_code
from benchmarks.toolchain.live_streams import Sight, describe, is_good, make_tables, read_part, write_panorama
from segpp_deploy.data.scenes import SCENE_CLASSES
from segpp_deploy.tasks.segmentation.overlay import draw_overlay


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Camera:
    return Camera(write_panorama(tmp_path_factory.mktemp("camera") / "panorama"))


def take(camera: Camera, number: int) -> NDArray[np.uint8]:
    return np.frombuffer(camera.take(number), np.uint8).reshape(HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("number", [0, 1, 777, 2**32 - 1])
def test_number_and_time_are_read_behind_an_overlay(camera: Camera, number: int) -> None:
    before = clock_ms()
    picture = take(camera, number)
    labels = np.random.default_rng(0).integers(0, len(SCENE_CLASSES), (HEIGHT // 40, WIDTH // 40), np.uint8)
    drawn = draw_overlay(picture, labels.repeat(40, 0).repeat(40, 1), SCENE_CLASSES)
    _, jpeg = cv2.imencode(".jpg", drawn[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])
    code = read_code(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8))
    assert code is not None
    assert code[0] == number
    assert elapsed_ms(before, code[1]) < 1000


def test_the_camera_turns(camera: Camera) -> None:
    pictures = [take(camera, number)[HEIGHT // 2 :] for number in (0, 1, 319, 320)]
    np.testing.assert_array_equal(pictures[0][:, 4:], pictures[1][:, :-4])
    np.testing.assert_array_equal(pictures[1], pictures[2])
    np.testing.assert_array_equal(pictures[0], pictures[3])


def test_a_damaged_code_is_no_code(camera: Camera) -> None:
    picture = take(camera, 5).copy()
    picture[:16, :20] = picture[:16, :20][:, ::-1]
    assert read_code(picture) is None


def test_time_goes_on_past_32_bits() -> None:
    assert elapsed_ms(2**32 - 10, 20) == 30


def test_parts_are_read_until_the_end() -> None:
    part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 3\r\n\r\nabc\r\n"
    stream = io.BytesIO(part + part.replace(b"abc", b"def") + part[:-4])
    assert [read_part(stream) for _ in range(3)] == [b"abc", b"def", None]


def answer(**changes: Any) -> dict[str, Any]:
    lag = {"median": 140.0, "p95": 180.0, "max": 400.0}
    counted = {"received": 100, "dropped": 59, "looked_at": 40, "damaged": 0, "reconnects": 1}
    return {**counted, "lag_ms": lag, **changes}


def sights(age_ms: float = 170.0, drift_ms: float = 0.0) -> list[Sight]:
    return [Sight(0.125 * index, index, age_ms + drift_ms * index / 40) for index in range(40)]


def row(found: dict[str, Any], seen: list[Sight], drop: str = "latest") -> dict[str, Any]:
    return {"case": "rtsp", **describe(found, seen, [2.0]), "drop": drop, "troubles": ["killed"], "others_share": 0.1}


def test_what_stays_new_is_good() -> None:
    good = row(answer(), sights())
    assert good["frame_ms"] == pytest.approx(125)
    assert good["seen_frame_times"]["p95"] == pytest.approx(170 / 125)
    assert good["back_after_s"] == [pytest.approx(0.125)]
    assert is_good(good)
    (table,) = make_tables([good])
    assert len(table.rows[0]) == len(table.columns)


@pytest.mark.parametrize(
    ("found", "seen"),
    [
        (answer(), sights(age_ms=260.0)),
        (answer(), sights(age_ms=60.0, drift_ms=170.0)),
        (answer(reconnects=0), sights()),
        (answer(dropped=50), sights()),
        (answer(), sights()[:16]),
    ],
    ids=["late", "later and later", "no reconnect", "lost count", "not seen again"],
)
def test_what_is_not(found: dict[str, Any], seen: list[Sight]) -> None:
    assert not is_good(row(found, seen))


def test_every_frame_may_lag_but_none_may_be_left_out() -> None:
    late = sights(age_ms=60.0, drift_ms=9000.0)
    assert is_good(row(answer(dropped=0), late, drop="none"))
    assert not is_good(row(answer(), late, drop="none"))


def test_outages_leave_time_to_come_back() -> None:
    ends = [(outage.at, outage.at + outage.lasts) for outage in live_streams.OUTAGES]
    room_s = live_streams.MOST_BACK_S
    for (_, end), (begin, _) in zip(ends, [*ends[1:], (1.0, 1.0)], strict=True):
        assert (begin - end) * live_streams.SECONDS > room_s


def test_cameras_are_modules_here() -> None:
    for case in live_streams.CASES.values():
        assert (Path(live_streams.__file__).parent / f"{case.module}.py").is_file()
