"""From light to bytes: each step of the sensor against what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from syngrasp.rendering.look import SensorLook
from syngrasp.rendering.sensor import blur_taps, develop, tone_curve
from syngrasp.rendering.shapes import SRGB_TO_LINEAR

PLAIN = SensorLook(
    blur=0.0, vignette=0.0, exposure=0.0, white_balance=(1.0, 1.0, 1.0), contrast=1.0, saturation=1.0, noise=0.0, seed=5
)
UNIT = np.ones(1, np.float32)


def grey(value: float, size: int = 64, frames: int = 1) -> np.ndarray:
    return np.full((frames, 1, size, size, 3), value, np.float32)


def test_mid_grey_is_shown_as_itself() -> None:
    for contrast in (0.8, 1.0, 1.3):
        image = develop(grey(0.18), UNIT, replace(PLAIN, contrast=contrast))
        assert np.abs(image.astype(int) - 118).max() <= 1  # sRGB of 0.18 is 117.6


def test_the_curve_keeps_black_rises_and_ends_at_white() -> None:
    curve = tone_curve(1.0)
    assert curve[0] == 0.0
    assert curve[-1] == pytest.approx(1.0)
    assert np.all(np.diff(curve) >= 0.0)
    assert curve[int(4095 * np.sqrt(0.005 / 8))] < 0.04  # deep shadow is no grey veil


def test_a_stop_of_exposure_doubles_the_light() -> None:
    brighter = develop(grey(0.1), UNIT, replace(PLAIN, exposure=1.0))
    np.testing.assert_array_equal(brighter, develop(grey(0.2), UNIT, PLAIN))
    np.testing.assert_array_equal(brighter, develop(grey(0.1), 2.0 * UNIT, PLAIN))


def test_blur_keeps_the_light_and_spreads_it_as_asked() -> None:
    for sigma in (0.4, 1.0, 2.5):  # a pixel's own width adds 1/12; the tails beyond 2.5 deviations are cut
        taps = blur_taps(sigma)
        place = np.arange(len(taps)) - len(taps) // 2
        assert taps.sum() == pytest.approx(1.0, abs=1e-6)
        assert (taps * place**2).sum() == pytest.approx(sigma**2 + 1 / 12, rel=0.15)
    dot = grey(0.0, 65)
    dot[0, 0, 32, 32] = 0.5
    image = develop(dot, UNIT, replace(PLAIN, blur=256 / 65))[0, 0]  # one pixel at this height
    light = (np.searchsorted(tone_curve(1.0), image / 255.0) / 4095.0) ** 2 * 8.0
    assert light[..., 0].sum() == pytest.approx(0.5, rel=0.05)
    np.testing.assert_array_equal(image, image.transpose(1, 0, 2))
    assert image[32, 30, 0] < image[32, 31, 0] < image[32, 32, 0]


def test_noise_has_the_deviation_asked_for_and_repeats() -> None:
    sensor = replace(PLAIN, noise=3.0)
    image = develop(grey(0.18, 128, 2), UNIT, sensor)
    noise = image.astype(float) - 117.6
    assert noise.std() == pytest.approx(3.0, abs=0.1)
    assert abs(noise.mean()) < 0.15
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.02
    np.testing.assert_array_equal(develop(grey(0.18, 128), UNIT, sensor, first_frame=1)[0], image[1])


def test_vignette_white_balance_and_saturation() -> None:
    image = develop(grey(0.2), UNIT, replace(PLAIN, vignette=0.5))[0, 0, :, :, 0]
    corner = develop(grey(0.1), UNIT, PLAIN)[0, 0, 0, 0, 0]
    assert abs(int(image[0, 0]) - int(corner)) <= 2
    assert image[32, 32] == develop(grey(0.2), UNIT, PLAIN)[0, 0, 0, 0, 0]
    warm = develop(grey(0.1), UNIT, replace(PLAIN, white_balance=(2.0, 1.0, 1.0)))[0, 0, 0, 0]
    np.testing.assert_array_equal(warm[0], develop(grey(0.2), UNIT, PLAIN)[0, 0, 0, 0, 0])
    color = grey(0.1)
    color[..., 0] = 0.3
    without = develop(color, UNIT, replace(PLAIN, saturation=0.0))
    assert np.ptp(without.astype(int), axis=-1).max() == 0


def test_encoding_is_srgb() -> None:
    """A value far below the shoulder comes back through the sRGB table, up to the curve's own slope."""
    shown = develop(grey(0.18), UNIT, PLAIN)[0, 0, 0, 0, 0]
    assert SRGB_TO_LINEAR[shown] == pytest.approx(0.18, rel=0.02)
