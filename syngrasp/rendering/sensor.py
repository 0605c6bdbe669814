"""The camera behind the lens: from light to stored bytes, for every renderer.

In this order: the lens's blur, vignette, exposure and white balance, tone curve with contrast, saturation, noise.
The tone curve is the response of film and of the eye, xⁿ / (xⁿ + cⁿ) (Naka and Rushton 1966), a sigmoid over the
logarithm of light that keeps blacks black and rolls highlights off; it maps mid-grey to itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray
from scipy.special import ndtri

from syngrasp.rendering.look import Look, SensorLook
from syngrasp.rendering.sensor_kernels import BRIGHTEST, blur_rows, develop_columns
from syngrasp.rendering.shapes import linear_to_srgb_values
from syngrasp.warp_device import start_warp

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

MID_GREY = 0.18
"""Reflectance that a picture shows as itself."""

WHITEST = 1.25
"""Exposed light that automatic exposure gives to the brightest twentieth of a picture, at most."""

CONTRAST = 1.35
"""Exponent n of the tone curve; its slope at mid-grey in doublings is n · 0.82."""


def exposure_gain(linear: F32, look: Look) -> F32:
    """Automatic exposure (C,) from pictures (C, …, 3) of linear light.

    Meters as cameras do, log-average towards mid-grey, but only by two thirds, so that dark scenes stay darker;
    then keeps white paint (the robot's) below the curve's shoulder. The look's own exposure [EV] is not in it.
    """
    luminance = (linear @ np.array([0.2126, 0.7152, 0.0722], np.float32)).reshape(len(linear), -1)
    average = np.exp(np.log(np.maximum(luminance, 1e-3)).mean(axis=1))
    gain = MID_GREY / (average ** (2 / 3) * 0.3 ** (1 / 3))
    height = [1.0 if lamp.kind == "point" else max(-lamp.direction[2], 0.5) for lamp in look.lights]
    lamps = sum(k * lamp.intensity for k, lamp in zip(height, look.lights, strict=True))
    white = 0.8 * look.environment.intensity + lamps
    bright = np.maximum(np.quantile(luminance, 0.95, axis=1), 0.5 * white)
    return np.minimum(gain, WHITEST / np.maximum(bright, 1e-3)).astype(np.float32)


def tone_curve(contrast: float) -> F32:
    """(4096,) display values in [0, 1] over sqrt(light / 8): Naka and Rushton's sigmoid, sRGB encoding, then
    `contrast` as an exponent around mid-grey."""
    x = (BRIGHTEST * np.linspace(0.0, 1.0, 4096) ** 2) ** CONTRAST
    top = BRIGHTEST**CONTRAST
    # c so that sigmoid(0.18) / sigmoid(8) = 0.18
    grey = MID_GREY**CONTRAST
    c = grey * top * (1.0 - MID_GREY) / (MID_GREY * top - grey)
    shown = linear_to_srgb_values(x / (x + c) * (top + c) / top)
    middle = float(linear_to_srgb_values(np.array(MID_GREY)))
    low = middle * (np.minimum(shown, middle) / middle) ** contrast
    high = 1.0 - (1.0 - middle) * ((1.0 - np.maximum(shown, middle)) / (1.0 - middle)) ** contrast
    return np.where(shown < middle, low, high).astype(np.float32)


def blur_taps(sigma: float) -> F32:
    """(2 r + 1,) weights of a Gaussian of deviation `sigma` [px], integrated over each pixel; (1,) when it is sharp."""
    if sigma < 0.15:
        return np.ones(1, np.float32)
    from scipy.special import ndtr

    reach = max(1, int(np.ceil(2.5 * sigma)))
    edges = ndtr((np.arange(2 * reach + 2) - reach - 0.5) / sigma)
    weights = np.diff(edges)
    return (weights / weights.sum()).astype(np.float32)


def normal_quantiles(count: int = 1024) -> F32:
    """(count,) values of the standard normal distribution at equal steps of probability."""
    return ndtri((np.arange(count) + 0.5) / count).astype(np.float32)


class Development:
    """A sensor's tables on a device: develops batches of linear pictures that lie there."""

    def __init__(self, sensor: SensorLook, gain: F32, width: int, height: int, device: str) -> None:
        """`gain` (C,) is the automatic exposure of each camera; the sensor's own comes on top."""
        self._sensor, self._size, self._device = sensor, (width, height), device
        factor = np.outer(np.asarray(gain, np.float64) * 2.0**sensor.exposure, sensor.white_balance)
        self._gain = wp.array(factor.astype(np.float32), dtype=wp.vec3, device=device)
        self._taps = wp.array(blur_taps(sensor.blur * height / 256), dtype=float, device=device)
        self._curve = wp.array(tone_curve(sensor.contrast), dtype=float, device=device)
        self._normal = wp.array(normal_quantiles(), dtype=float, device=device)

    def develop(self, linear: wp.array, scratch: wp.array, first_frame: int, count: int, images: wp.array) -> None:
        """Bytes `images` (F, C, P, 3) of the first `count` of light `linear` (F, C, P) vec3; `scratch` is like it."""
        (width, height), sensor = self._size, self._sensor
        dim = (count, linear.shape[1], width * height)
        wp.launch(blur_rows, dim=dim, inputs=[linear, width, self._gain, self._taps, scratch], device=self._device)
        wp.launch(
            develop_columns,
            dim=dim,
            inputs=[
                *(scratch, width, height, self._taps, sensor.vignette, self._curve, sensor.saturation, sensor.noise),
                *(self._normal, sensor.seed, first_frame, images),
            ],
            device=self._device,
        )


def develop(linear: F32, gain: F32, sensor: SensorLook, first_frame: int = 0, device: str = "cpu") -> U8:
    """Stored pictures (F, C, H, W, 3) of linear light of the same shape. `gain` (C,) as of `exposure_gain`.

    Noise is a function of the sensor's seed, the frame's number (from `first_frame` on) and the pixel.
    """
    start_warp(device, "device")
    frames, cameras, height, width = linear.shape[:4]
    flat: Any = np.ascontiguousarray(linear, np.float32).reshape(frames, cameras, height * width, 3)
    light = wp.array(flat, dtype=wp.vec3, device=device)
    images: Any = wp.empty((frames, cameras, height * width, 3), dtype=wp.uint8, device=device)  # type: ignore[arg-type]
    scratch = wp.empty_like(light)
    Development(sensor, gain, width, height, device).develop(light, scratch, first_frame, frames, images)
    return images.numpy().reshape(linear.shape)
