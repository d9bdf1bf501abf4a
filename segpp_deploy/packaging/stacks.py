"""The stacks that engines are packaged for, and where each packager is; light enough for the command line to load."""

from __future__ import annotations

from segpp_deploy.config import Choice


class Stack(Choice):
    """What `package --for` takes.

    A line is the name and the place of the packager, "module:function" below `segpp_deploy.packaging`.
    """

    packager: str

    TRITON = "triton", "triton.package:package_for_triton"
    CPP = "cpp", "cpp.package:package_for_cpp"
    DEEPSTREAM = "deepstream", "deepstream.package:package_for_deepstream"
    ROS2 = "ros2", "ros2.package:package_for_ros2"
    ISAAC_ROS = "isaac-ros", "isaac_ros.package:package_for_isaac_ros"

    def __new__(cls, value: str, packager: str) -> Stack:
        """Make the member of this value."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.packager = packager
        return member
