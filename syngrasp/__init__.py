"""syngrasp: synthetic grasping data, from meshes to a trained GraspVLA."""

from syngrasp.resources import keep_kernels_apart

__version__ = "0.1.0"

keep_kernels_apart()  # before anything imports numba
