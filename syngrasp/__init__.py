"""syngrasp: synthetic grasping data, from meshes to a trained GraspVLA."""

__version__ = "0.1.0"
