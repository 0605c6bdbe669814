# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""The sensor's kernels: exposed and blurred light, then bytes. See sensor.py."""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.

from __future__ import annotations

import warp as wp

wp.set_module_options({"enable_backward": False})

BRIGHTEST = wp.constant(8.0)  # exposed light that is white
GLARE = wp.constant(32.0)  # exposed light beyond this is cut before the blur, or single glints would bloom


@wp.kernel
def blur_rows(linear: wp.array3d[wp.vec3], width: int, gain: wp.array[wp.vec3], taps: wp.array[float],
              out: wp.array3d[wp.vec3]):  # fmt: skip
    """Exposes light, and blurs it along rows; the picture's edge repeats."""
    f, c, pixel = wp.tid()
    reach = taps.shape[0] // 2
    x = pixel % width
    first = pixel - x
    total = wp.vec3(0.0)
    for k in range(taps.shape[0]):
        light = wp.cw_mul(linear[f, c, first + wp.clamp(x + k - reach, 0, width - 1)], gain[c])
        total += taps[k] * wp.min(light, wp.vec3(GLARE))
    out[f, c, pixel] = total


@wp.func
def display(light: float, curve: wp.array[float]) -> float:
    """The tone curve's value at exposed light."""
    last = float(curve.shape[0] - 1)
    return curve[int(wp.min(wp.sqrt(wp.max(light, 0.0) / BRIGHTEST), 1.0) * last + 0.5)]


@wp.kernel
def develop_columns(
    exposed: wp.array3d[wp.vec3],
    width: int,
    height: int,
    taps: wp.array[float],
    vignette: float,
    curve: wp.array[float],
    saturation: float,
    noise: float,
    normal: wp.array[float],  # (1024,)
    seed: int,
    first_frame: int,
    images: wp.array4d[wp.uint8],
):
    """Blurs exposed light along columns, and makes bytes of it."""
    f, c, pixel = wp.tid()
    reach = taps.shape[0] // 2
    x = pixel % width
    y = pixel // width
    light = wp.vec3(0.0)
    for k in range(taps.shape[0]):
        light += taps[k] * exposed[f, c, wp.clamp(y + k - reach, 0, height - 1) * width + x]
    dx = (2.0 * float(x) + 1.0) / float(width) - 1.0
    dy = (2.0 * float(y) + 1.0) / float(height) - 1.0
    light = light * (1.0 - vignette * 0.5 * (dx * dx + dy * dy))
    shown = wp.vec3(display(light[0], curve), display(light[1], curve), display(light[2], curve))
    grey = wp.vec3(0.2126 * shown[0] + 0.7152 * shown[1] + 0.0722 * shown[2])
    shown = grey + (shown - grey) * saturation
    draw = wp.uint32(0)
    if noise > 0.0:
        draw = wp.randu(wp.rand_init(seed + first_frame + f, c * width * height + pixel))
    for k in range(3):
        value = 255.0 * shown[k] + 0.5
        if noise > 0.0:
            # ten of the draw's bits for each colour
            value += noise * normal[int((draw >> wp.uint32(10 * k)) & wp.uint32(1023))]
        images[f, c, pixel, k] = wp.uint8(int(wp.clamp(value, 0.0, 255.0)))
