"""Lets MuJoCo's OpenGL draw without a display where a library for that is there: import it before mujoco."""

import os
import sys
from ctypes.util import find_library

if "mujoco" in sys.modules:
    raise ImportError("tests.benchmarks.no_display comes too late: mujoco has been imported already")
for _library, _backend in (("OSMesa", "osmesa"), ("EGL", "egl")):
    if find_library(_library) is not None:
        os.environ["MUJOCO_GL"] = _backend
