"""A ROS 2 node that publishes the class of every pixel of the pictures it is sent.

    ros2 run PACKAGE segmentation --ros-args -p engine:=FILE.engine -r image:=/camera/image_raw

Topics: `image` in; `mask`, `label_info` (latched) and, where it is asked for and somebody listens, `overlay` out.
Parameters: `engine`, the file; `overlay`; `queue`, how many pictures may wait: older ones are dropped.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from segpp_deploy.data.label_maps import ignore_index
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.packaging.ros2.node.messages import (
    ImageMessage,
    UnusableImageError,
    fill_image,
    fill_label_info,
    label_info_text,
    read_picture,
)

_WARNING_PERIOD_S = 5.0


@dataclass(frozen=True)
class Profiles:
    """Qualities of service.

    Args:
        pictures: of what comes from the camera: what is lost is lost, and the newest are kept.
        masks: of what is published: reliable, which listeners of either kind hear.
        latched: the last message is also for those who come later.
    """

    pictures: Any
    masks: Any
    latched: Any

    @classmethod
    def of_rclpy(cls, queue: int) -> Profiles:
        """Return the profiles, with room for so many pictures."""
        from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

        return cls(
            QoSProfile(depth=queue, reliability=ReliabilityPolicy.BEST_EFFORT),
            QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE),
            QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL),
        )


class Segmentation:
    """What the node does: announces the classes, then answers each picture with its mask.

    Args:
        node: an `rclpy` node.
        predictor: of a segmentation engine.
        profiles: of the topics.
        overlay: whether pictures with the classes drawn over them are published too.

    Raises:
        SegppError: the engine puts out something else than classes of pixels.
    """

    def __init__(self, node: Any, predictor: Predictor[Any], profiles: Profiles, overlay: bool = False) -> None:
        predictor.task.require_label_maps("engine")
        self._log = node.get_logger()
        self._predictor = predictor
        self._image_type = importlib.import_module("sensor_msgs.msg").Image
        self._masks = node.create_publisher(self._image_type, "mask", profiles.masks)
        self._overlays = node.create_publisher(self._image_type, "overlay", profiles.masks) if overlay else None
        self._announce(node, profiles.latched)
        self._pictures = node.create_subscription(self._image_type, "image", self.answer, profiles.pictures)

    def answer(self, message: ImageMessage) -> None:
        """Publish the mask of a picture, and its overlay; a picture that cannot be read is logged and left out."""
        try:
            picture = read_picture(message)
        except UnusableImageError as error:
            self._log.warning(f"A picture was left out: {error}.", throttle_duration_sec=_WARNING_PERIOD_S)
            return
        (prediction,) = self._predictor.predict([picture])
        task, metadata = self._predictor.task, self._predictor.metadata
        self._masks.publish(fill_image(self._image_type(), message.header, task.label_map(prediction)))
        if self._overlays is not None and self._overlays.get_subscription_count():
            drawn = task.draw(picture, prediction, metadata, legend=False)
            self._overlays.publish(fill_image(self._image_type(), message.header, drawn))

    def _announce(self, node: Any, latched: Any) -> None:
        """Publish the classes as `vision_msgs/LabelInfo`, or as JSON in a `std_msgs/String` where ROS has none."""
        names = self._predictor.metadata.classes.names
        try:
            types = importlib.import_module("vision_msgs.msg")
        except ImportError:
            types = importlib.import_module("std_msgs.msg")
            message = types.String()
            message.data = label_info_text(names, ignore_index(len(names)))
            kind = "std_msgs/String, as JSON: there is no vision_msgs"
        else:
            message = fill_label_info(types.LabelInfo(), types.VisionClass, names)
            kind = "vision_msgs/LabelInfo"
        self._classes = node.create_publisher(type(message), "label_info", latched)
        self._classes.publish(message)
        self._log.info(f"{len(names)} classes are announced on label_info ({kind}).")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is stopped; 2 after an error."""
    import rclpy
    from rclpy.executors import ExternalShutdownException

    rclpy.init(args=arguments)
    node = rclpy.create_node("segmentation")
    engine = node.declare_parameter("engine", "").value
    overlay = node.declare_parameter("overlay", False).value
    queue = node.declare_parameter("queue", 1).value
    try:
        with Predictor.open(engine) as predictor:
            Segmentation(node, predictor, Profiles.of_rclpy(queue), overlay)
            rclpy.spin(node)
    except SegppError as error:
        node.get_logger().fatal(str(error))
        return 2
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
