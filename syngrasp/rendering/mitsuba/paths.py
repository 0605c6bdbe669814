"""A path tracer over chosen samples of chosen pixels, built from Mitsuba's surfaces and lights.

Mitsuba's own integrators fill whole films. Here every sample's random numbers are a function of its pixel and number
alone: the same sample of two scenes follows the same path until the scenes differ, and neither the choice of other
samples nor their order changes it. Multiple importance sampling of lights and surfaces (Veach 1997).
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false
# (what Mitsuba's and Dr.Jit's names mean depends on the variant that runs)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.rendering.look import CameraLook

F32 = NDArray[np.float32]
U32 = NDArray[np.uint32]

ROULETTE = 2
"""Surfaces after which dim paths may end at random."""

_DIMENSIONS = 8  # random numbers kept for one surface
_NUMBERS = 16  # in a camera's row


def camera_table(cameras: Sequence[CameraLook], width: int, height: int) -> Any:
    """The cameras as one Dr.Jit array of rows: rotation, position, focal length, centre."""
    import mitsuba as mi

    rows = np.zeros((len(cameras), _NUMBERS), np.float32)
    for row, camera in zip(rows, cameras, strict=True):
        T, K = camera.T_base_camera(), camera.intrinsics(width, height)
        row[:9], row[9:12], row[12:15] = T[:3, :3].ravel(), T[:3, 3], (K[0, 0], K[0, 2], K[1, 2])
    return mi.Float(rows.ravel())


def camera_rays(table: Any, pixel: Any, width: int, height: int, x: Any, y: Any) -> Any:
    """Rays through the places (x, y) in [0, 1)² of pixels, numbered over cameras, rows and columns."""
    import drjit as dr
    import mitsuba as mi

    area = width * height
    camera, inside = pixel // area, pixel % area
    row = [dr.gather(mi.Float, table, camera * _NUMBERS + k) for k in range(15)]
    u = (mi.Float(inside % width) + x - row[13]) / row[12]
    v = (mi.Float(inside // width) + y - row[14]) / row[12]
    local = dr.normalize(mi.Vector3f(u, v, 1.0))
    direction = mi.Vector3f(
        *(row[3 * i] * local.x + row[3 * i + 1] * local.y + row[3 * i + 2] * local.z for i in range(3))
    )
    return mi.Ray3f(mi.Point3f(row[9], row[10], row[11]), direction)


class Numbers:
    """Random numbers of samples: an additive recurrence (Roberts' R₂) over a pixel's samples, shifted at random for
    every pixel and dimension (Cranley and Patterson 1976)."""

    def __init__(self, pixel: Any, sample: Any, seed: Any) -> None:
        self._base = _hash(pixel ^ _hash(seed))
        self._sample = sample

    def one(self, dimension: Any) -> Any:
        """In [0, 1)."""
        return self._value(dimension, 0x9E3779B9)

    def two(self, dimension: Any) -> Any:
        """In [0, 1)²; takes two dimensions."""
        import mitsuba as mi

        return mi.Point2f(self._value(dimension, 0xC13FA9A9), self._value(dimension + 1, 0x91E10DA5))

    def _value(self, dimension: Any, step: int) -> Any:
        import mitsuba as mi

        bits = _hash(self._base + dimension * 0x632BE5AB) + self._sample * step
        return mi.Float(bits >> 8) * (1.0 / 16777216.0)


def _hash(x: Any) -> Any:
    """Bits well mixed (Wellons' lowbias32)."""
    import mitsuba as mi

    x = mi.UInt32(x)
    x = (x ^ (x >> 16)) * 0x7FEB352D
    x = (x ^ (x >> 15)) * 0x846CA68B
    return x ^ (x >> 16)


def first_hits(scene: Any, ray: Any) -> Any:
    """The first surfaces that rays from a camera meet; lamps are not seen."""
    import drjit as dr

    hit = scene.ray_intersect_preliminary(ray, coherent=True)
    surface = hit.compute_surface_interaction(ray)
    lamp = hit.is_valid() & (hit.shape.emitter() != None)  # noqa: E711
    behind = surface.spawn_ray(ray.d)
    return dr.select(lamp, scene.ray_intersect(behind, lamp), surface)


def radiance(scene: Any, dome: Any, first: Any, ray: Any, numbers: Numbers, max_depth: int, limit: Any) -> Any:
    """Light (RGB) that arrives along rays whose first surface is known, over paths of up to `max_depth` surfaces.

    Light after the first reflection is cut off at `limit`, against fireflies.
    """
    import drjit as dr
    import mitsuba as mi

    context = mi.BSDFContext()

    def alive(active: Any, *_: Any) -> Any:
        return active

    def bounce(
        active: Any, si: Any, ray: Any, depth: Any, L: Any, beta: Any, eta: Any, prev: Any, pdf: Any, delta: Any
    ) -> Any:
        # what the ray met shines
        emitter = dr.select(si.is_valid(), si.shape.emitter(), dome)
        ds = mi.DirectionSample3f(scene, si, prev)
        ds.emitter = emitter
        light_pdf = dr.select(delta, 0.0, scene.pdf_emitter_direction(prev, ds, active & ~delta))
        found = beta * emitter.eval(si, active) * _balance(pdf, light_pdf)
        L += dr.select(depth > 0, lesser(found, limit), found)
        # a lamp is asked
        active &= si.is_valid() & (depth + 1 < max_depth)
        bsdf, base = si.bsdf(), depth * _DIMENSIONS + 2
        smooth = active & mi.has_flag(bsdf.flags(), mi.BSDFFlags.Smooth)
        ds, weight = scene.sample_emitter_direction(si, numbers.two(base), True, smooth)
        smooth &= ds.pdf != 0.0
        value, value_pdf, sample, sample_weight = bsdf.eval_pdf_sample(
            context, si, si.to_local(ds.d), numbers.one(base + 2), numbers.two(base + 3), active
        )
        mis = dr.select(ds.delta, 1.0, _balance(ds.pdf, value_pdf))
        L += dr.select(smooth, lesser(beta * value * weight * mis, limit), 0.0)
        # and the path goes on
        ray = si.spawn_ray(si.to_world(sample.wo))
        beta *= sample_weight
        eta *= sample.eta
        prev, pdf, delta = mi.Interaction3f(si), sample.pdf, mi.has_flag(sample.sampled_type, mi.BSDFFlags.Delta)
        depth += 1
        largest = dr.max(beta)
        active &= largest > 0.0
        keep = dr.select(depth >= ROULETTE, lesser(largest * eta * eta, 0.95), 1.0)
        active &= numbers.one(base + 5) < keep
        beta /= dr.select(keep > 1e-6, keep, 1e-6)
        si = scene.ray_intersect(ray, active)
        return active, si, ray, depth, L, beta, eta, prev, pdf, delta

    state = (
        mi.Bool(True), first, ray, mi.UInt32(0), mi.Spectrum(0.0), mi.Spectrum(1.0), mi.Float(1.0),
        dr.zeros(mi.Interaction3f), mi.Float(1.0), mi.Bool(True),
    )  # fmt: skip
    out = dr.while_loop(state, alive, bounce, max_iterations=max_depth, label="paths")
    return dr.select(dr.isfinite(out[4]), out[4], 0.0)


def lesser(a: Any, b: Any) -> Any:
    """The smaller one; LLVM 19 dies of Dr.Jit's own where vectors collapse to scalars (cannot select fminimum)."""
    import drjit as dr

    return dr.select(a < b, a, b)


def _balance(a: Any, b: Any) -> Any:
    """Weight of a technique of density a beside one of density b (power heuristic)."""
    import drjit as dr

    ratio = b / a
    return dr.select(a > 0.0, 1.0 / (1.0 + ratio * ratio), 0.0)
