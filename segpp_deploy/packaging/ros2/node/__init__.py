"""The ROS 2 node that a package carries; the imports of this folder are written anew for the package's own name."""
