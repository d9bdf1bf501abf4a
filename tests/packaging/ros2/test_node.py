"""The node around a real engine, with stand-ins for ROS; and with ROS itself, where its environment was made."""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.toolchain import ros2_node
from segpp_deploy.config import OutputKind
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.packaging.ros2.node.node import Profiles, Segmentation
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support.requirements import skip_or_fail
from tests.support.tiny_graphs import tiny_metadata, write_tiny

PROFILES = Profiles("pictures", "masks", "latched")
GREY = np.arange(40 * 50, dtype=np.uint8).reshape(40, 50)


class Message(SimpleNamespace):
    """Any message of ROS."""


class LabelInfo(Message):
    """Stands in for `vision_msgs/LabelInfo`."""

    def __init__(self) -> None:
        super().__init__(class_map=[])


class Publisher:
    """Keeps what is published."""

    def __init__(self, kind: type, profile: str) -> None:
        self.kind, self.profile, self.listeners = kind, profile, 0
        self.sent: list[Any] = []

    def publish(self, message: Any) -> None:
        self.sent.append(message)

    def get_subscription_count(self) -> int:
        return self.listeners


class Node:
    """Stands in for an `rclpy` node, and for its log."""

    def __init__(self) -> None:
        self.publishers: dict[str, Publisher] = {}
        self.subscriptions: dict[str, tuple[Any, str]] = {}
        self.logged: list[str] = []

    def create_publisher(self, kind: type, topic: str, profile: str) -> Publisher:
        return self.publishers.setdefault(topic, Publisher(kind, profile))

    def create_subscription(self, kind: type, topic: str, callback: Any, profile: str) -> object:
        self.subscriptions[topic] = (callback, profile)
        return object()

    def get_logger(self) -> Node:
        return self

    def info(self, text: str) -> None:
        self.logged.append(text)

    def warning(self, text: str, throttle_duration_sec: float) -> None:
        self.logged.append(text)


def module(name: str, **types: type) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(types)
    return made


@pytest.fixture
def ros(monkeypatch: pytest.MonkeyPatch) -> None:
    """ROS' messages, without `vision_msgs`."""
    for package, types in {"sensor_msgs": {"Image": Message}, "std_msgs": {"String": Message}}.items():
        monkeypatch.setitem(sys.modules, package, module(package))
        monkeypatch.setitem(sys.modules, f"{package}.msg", module(f"{package}.msg", **types))
    monkeypatch.setitem(sys.modules, "vision_msgs.msg", None)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes: thirds of the brightest channel."""
    folder = tmp_path_factory.mktemp("engine")
    return run_build(write_tiny(folder / "a.onnx"), folder / "a.engine", BuildOptions(TargetName.CPU)).path


@pytest.fixture
def predictor(engine: Path) -> Iterator[Predictor[Any]]:
    with Predictor.open(engine) as opened:
        yield opened


def picture(encoding: str = "mono8") -> Message:
    header = Message(frame_id="camera", stamp=Message(sec=1, nanosec=2))
    data = array("B", GREY.tobytes())
    return Message(header=header, height=40, width=50, encoding=encoding, is_bigendian=0, step=50, data=data)


def test_a_mask_has_the_picture_s_size_and_header(ros: None, predictor: Predictor[Any]) -> None:
    node, message = Node(), picture()
    Segmentation(node, predictor, PROFILES)
    callback, profile = node.subscriptions["image"]
    callback(message)
    masks = node.publishers["mask"]
    (mask,) = masks.sent
    assert (profile, masks.profile, masks.kind) == ("pictures", "masks", Message)
    assert mask.header is message.header
    assert (mask.height, mask.width, mask.step, mask.encoding) == (40, 50, 50, "mono8")
    (expected,) = predictor.predict([np.repeat(GREY[..., None], 3, axis=2)])
    np.testing.assert_array_equal(np.frombuffer(mask.data, np.uint8).reshape(40, 50), expected.labels)
    assert set(mask.data) == {0, 1, 2}
    assert "overlay" not in node.publishers


def test_overlays_for_those_who_listen(ros: None, predictor: Predictor[Any]) -> None:
    node = Node()
    segmentation = Segmentation(node, predictor, PROFILES, overlay=True)
    segmentation.answer(picture())
    overlays = node.publishers["overlay"]
    assert not overlays.sent
    overlays.listeners = 1
    segmentation.answer(picture())
    (overlay,) = overlays.sent
    assert (overlay.encoding, overlay.height, overlay.width, len(overlay.data)) == ("rgb8", 40, 50, 40 * 50 * 3)


def test_a_picture_that_cannot_be_read_is_logged(ros: None, predictor: Predictor[Any]) -> None:
    node = Node()
    segmentation = Segmentation(node, predictor, PROFILES)
    segmentation.answer(picture("yuv422"))
    segmentation.answer(picture())
    assert len(node.publishers["mask"].sent) == 1
    assert node.logged[-1].startswith("A picture was left out: encoding 'yuv422'")


def test_classes_are_announced(ros: None, predictor: Predictor[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    Segmentation(node, predictor, PROFILES)
    labels = node.publishers["label_info"]
    assert (labels.profile, labels.kind) == ("latched", Message)
    assert json.loads(labels.sent[0].data)["class_map"][2] == {"class_id": 2, "class_name": "class_2"}
    assert "std_msgs/String" in node.logged[0]

    monkeypatch.setitem(
        sys.modules, "vision_msgs.msg", module("vision_msgs.msg", LabelInfo=LabelInfo, VisionClass=Message)
    )
    node = Node()
    Segmentation(node, predictor, PROFILES)
    (info,) = node.publishers["label_info"].sent
    assert [one.class_name for one in info.class_map] == ["class_0", "class_1", "class_2"]
    assert "vision_msgs/LabelInfo" in node.logged[0]


def test_poses_are_no_masks(ros: None, tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "a.onnx", tiny_metadata(OutputKind.HEATMAPS))
    built = run_build(source, tmp_path / "a.engine", BuildOptions(TargetName.CPU))
    with Predictor.open(built.path) as poses, pytest.raises(SegppError):
        Segmentation(Node(), poses, PROFILES)


def test_the_node_runs_in_ros(engine: Path) -> None:
    python = ros2_node.find_python()
    if python is None:
        skip_or_fail("ros2", f"no {ros2_node.folder()}: run python -m benchmarks.toolchain.ros2_node")
    found = ros2_node.measure(python, engine, pictures=20)
    assert (found["masks"], found["masks_equal"], found["headers_kept"], found["classes_heard"]) == (20, 20, True, True)
