"""What is between us and Ray: errors without it, and one cluster of this machine where it is installed."""

from __future__ import annotations

import pickle
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from segpp_deploy import __version__
from segpp_deploy.errors import SegppError
from segpp_deploy.fleet import ray_data
from segpp_deploy.fleet.needs import WorkerNeeds
from segpp_deploy.fleet.ray_data import BATCH, LOCAL, Opening, run_on_ray
from tests.support.requirements import needs


class Doubler:
    """Doubles numbers, and knows how many it was given at once."""

    def __call__(self, numbers: Sequence[int]) -> tuple[int, list[int]]:
        if -1 in numbers:
            raise SegppError("There is no such number.", "another one.", "Count again.")
        return len(numbers), [2 * number for number in numbers]


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(SegppError, match="Ray Data, which is not installed") as caught:
        list(run_on_ray(LOCAL, [1], Doubler, WorkerNeeds()))
    assert caught.value.fix == "pip install 'segpp-deploy[ray]'"


def test_an_address_at_which_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: object) -> None:
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(ray_data, "require_ray", lambda: SimpleNamespace(is_initialized=lambda: False, init=init))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "nowhere", "auto"):
        with pytest.raises(SegppError, match=f"There is no Ray cluster at {address}"):
            list(run_on_ray(address, [1], Doubler, WorkerNeeds()))


def test_what_ray_prints_is_no_result(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def give(*_: object) -> Iterator[dict[str, bytes]]:
        print("(raylet) A worker died.")
        yield {"result": pickle.dumps("done")}

    monkeypatch.setattr(ray_data, "require_ray", lambda: SimpleNamespace(is_initialized=lambda: True))
    monkeypatch.setattr(ray_data, "_results", give)
    assert list(run_on_ray(LOCAL, [1], Doubler, WorkerNeeds())) == ["done"]
    assert capsys.readouterr() == ("", "(raylet) A worker died.\n")


def test_a_cluster_that_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Iterator[dict[str, bytes]]:
        raise RuntimeError("No node is left.")

    monkeypatch.setattr(ray_data, "require_ray", lambda: SimpleNamespace(is_initialized=lambda: True))
    monkeypatch.setattr(ray_data, "_results", fail)
    with pytest.raises(SegppError, match=r"The cluster gave up: No node is left\."):
        list(run_on_ray(LOCAL, [1], Doubler, WorkerNeeds()))


def test_a_worker_of_another_version_does_nothing() -> None:
    with pytest.raises(SegppError, match=rf"has segpp-deploy {__version__}, and this is 9\.9"):
        Opening(Doubler, ".", "9.9").open()


def test_a_worker_goes_where_its_driver_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path.cwd())  # and back, after the test
    Opening(Doubler, str(tmp_path / "missing")).open()
    Opening(Doubler, str(tmp_path)).open()
    assert Path.cwd() == tmp_path


@pytest.mark.slow
@needs("ray")
def test_a_cluster_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(Path(ray_data.__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", root)  # workers must find the tests
    with ray_data._connected(ray_data.require_ray(), LOCAL, WorkerNeeds()):  # whose driver this process then is
        results = list(run_on_ray(LOCAL, range(200), Doubler, WorkerNeeds()))
        with pytest.raises(SegppError, match="no such number") as caught:
            list(run_on_ray(LOCAL, [1, -1], Doubler, WorkerNeeds()))
    assert sorted(number for _, numbers in results for number in numbers) == list(range(0, 400, 2))
    assert max(count for count, _ in results) <= BATCH
    assert (caught.value.expected, caught.value.fix) == ("another one.", "Count again.")
