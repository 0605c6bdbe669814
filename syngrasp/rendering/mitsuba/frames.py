"""What is traced for a frame, and how it becomes a picture: the still scenery once, then only what moves and changes.

Cameras stand still within an episode, so its still scenery is traced once, well. A frame traces the samples where it
sees something that moves, and those still pixels whose light changes: there it takes the still picture and adds the
difference between the same samples of both scenes, a control variate (Fieller and Hartley 1954), which is exactly 0
for every path that meets nothing that moves. A sparse probe of such differences finds these pixels, and its smooth
remainder lights all others.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false
# (what Mitsuba's and Dr.Jit's names mean depends on the variant that runs)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from syngrasp.rendering.look import CameraLook
from syngrasp.rendering.mitsuba.arrays import aligned, emitter_number
from syngrasp.rendering.mitsuba.kinds import every_kind
from syngrasp.rendering.mitsuba.paths import Numbers, camera_rays, camera_table, first_hits, lesser, radiance
from syngrasp.rendering.mitsuba.scene import EpisodeScene

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
Bools = NDArray[np.bool_]

PROBE = 4
"""Every so many rows and columns one sample looks for a change of light [px]."""

LIKENESS = 9
"""Width of the windows in which a frame's light is compared with the still scenery's noise [px]."""

SMOOTH = 5
"""Width of the windows over which probes are averaged [probes]."""

CHANGED = 0.25
"""A still pixel is traced again where its surroundings' light changes by more than this share."""

AROUND = 3
"""Still pixels so near a moving thing are always traced again [px]."""

CHUNK = 1 << 19
"""Most samples at a time: bounds memory, changes nothing."""

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples of chosen pixels: N pixels, S samples each."""

    light: F32  # (N, S, 3)
    albedo: F32  # (N, S, 3) of the first surface
    normal: F32  # (N, S, 3) in base
    shape: U32  # (N, S) Mitsuba's number of it, 0 for none


@dataclass(frozen=True, slots=True, eq=False)
class StillLayer:
    """The still scenery of an episode."""

    light: F32  # (C, H, W, 3) clean
    albedo: F32  # (C, H, W, 3)
    normal: F32  # (C, H, W, 3)
    samples: F32  # (C·H·W, S, 3) light of the first samples, which frames are compared with


@dataclass(frozen=True, slots=True, eq=False)
class Noisy:
    """A frame before the denoiser."""

    light: F32  # (C, H, W, 3)
    albedo: F32
    normal: F32
    traced: Bools  # (C, H, W)


class PathTracer:
    """The cameras and random numbers of an episode, over its scenes."""

    def __init__(self, cameras: tuple[CameraLook, ...], width: int, height: int, seed: int, depth: int) -> None:
        import drjit as dr
        import mitsuba as mi

        self.size = (len(cameras), height, width)
        self._table, self._seed, self._limit = camera_table(cameras, width, height), mi.UInt32(seed), mi.Float(0.0)
        dr.make_opaque(self._table, self._seed)
        self._kinds = every_kind(mi.variant())  # an input of every kernel, which nothing reads
        # put together once and then replayed
        self._sample = dr.freeze(_kernel(width, height, depth))

    def limit(self, light: float) -> None:
        """Cuts the light of a path off, against fireflies."""
        import drjit as dr
        import mitsuba as mi

        self._limit = dr.opaque(mi.Float, light)

    def trace(self, scene: Any, pixels: U32, first: U32, count: int) -> Samples:
        """Samples first[i] … first[i] + count − 1 of every pixel i (N,); they are the same whatever else is asked."""
        import drjit as dr
        import mitsuba as mi

        # a kernel that holds the number itself would fit this scene alone
        dome = dr.opaque(mi.UInt32, emitter_number(scene.environment()))
        parts = []
        rows = max(CHUNK // count, 1)
        for start in range(0, max(len(pixels), 1), rows):
            span = slice(start, start + rows)
            lanes = mi.UInt32(aligned(np.repeat(pixels[span], count)))
            numbers = mi.UInt32(aligned(first[span, None] + np.arange(count, dtype=np.uint32)))
            *vectors, shape = self._sample(
                self._kinds, scene, dome, self._table, lanes, numbers, self._seed, self._limit
            )
            parts.append((*(np.array(v).T.reshape(-1, count, 3) for v in vectors), np.array(shape).reshape(-1, count)))
        return Samples(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _kernel(width: int, height: int, depth: int) -> Callable[..., Any]:
    import drjit as dr
    import mitsuba as mi

    def sample(
        _: Any, scene: Any, dome: Any, table: Any, pixel: Any, number: Any, seed: Any, limit: Any
    ) -> tuple[Any, ...]:
        numbers = Numbers(pixel, number, seed)
        place = numbers.two(mi.UInt32(0))
        ray = camera_rays(table, pixel, width, height, place.x, place.y)
        si = first_hits(scene, ray)
        found = radiance(scene, dr.reinterpret_array(mi.EmitterPtr, dome), si, ray, numbers, depth, limit)
        albedo = si.bsdf().eval_diffuse_reflectance(si, si.is_valid())
        normal = dr.select(si.is_valid() & dr.isfinite(si.sh_frame.n), si.sh_frame.n, 0.0)
        shape = dr.select(si.is_valid(), dr.reinterpret_array(mi.UInt32, si.shape), 0)
        return found, dr.select(albedo > 0.0, lesser(albedo, 1.0), 0.0), normal, shape  # NaN is not > 0

    return sample


def still_layer(
    tracer: PathTracer, scene: EpisodeScene, samples: int, kept: int, clean: Callable[[F32, F32, F32], F32]
) -> StillLayer:
    """The still scenery from at least `samples` samples a pixel, of which the first `kept` are kept apart; `clean`
    denoises."""
    pixels = np.arange(int(np.prod(tracer.size)), dtype=np.uint32)
    zero, image = np.zeros_like(pixels), (*tracer.size, 3)
    first = tracer.trace(scene.still, pixels, zero, kept)
    light, albedo, normal = (x.sum(axis=1) for x in (first.light, first.albedo, first.normal))
    done = kept
    while done < samples:
        count = min(kept, samples - done)
        more = tracer.trace(scene.still, pixels, zero + np.uint32(done), count)
        light += more.light.sum(axis=1)
        albedo += more.albedo.sum(axis=1)
        normal += more.normal.sum(axis=1)
        done += count
    light, albedo, normal = ((x / done).reshape(image).astype(np.float32) for x in (light, albedo, normal))
    light = np.stack([clean(*planes) for planes in zip(light, albedo, normal, strict=True)])
    return StillLayer(light, albedo, normal, first.light)


def trace_frame(tracer: PathTracer, scene: EpisodeScene, layer: StillLayer, moving: Bools, samples: int) -> Noisy:
    """A frame whose moving meshes are in place; `moving` (C, H, W) is where the cameras see some."""
    if not moving.any() and not len(scene.moving_numbers):
        return Noisy(layer.light.copy(), layer.albedo, layer.normal, np.zeros(tracer.size, bool))
    seen = _grown(moving, 1)
    change, far = _probe(tracer, scene, layer, seen, samples)
    traced = seen | _grown(moving, AROUND) | change
    light = layer.light * (1.0 + far)
    albedo, normal, noise = layer.albedo.copy(), layer.normal.copy(), np.zeros_like(light)
    pixels = np.flatnonzero(traced).astype(np.uint32)
    rows = np.unravel_index(pixels, tracer.size)
    found = tracer.trace(scene.full, pixels, np.zeros_like(pixels), samples)
    still = ~np.isin(found.shape, scene.moving_numbers)
    share = still.mean(axis=1, dtype=np.float32)[:, None]
    light[rows] = found.light.mean(axis=1)
    noise[rows] = (layer.samples[pixels] * still[..., None]).mean(axis=1) - share * layer.light[rows]
    for whole, part in ((albedo, found.albedo), (normal, found.normal)):
        whole[rows] = np.where(share < 1.0, part.mean(axis=1), whole[rows])
    light -= _likeness(light @ _LUMINANCE, noise @ _LUMINANCE, traced)[..., None] * noise
    return Noisy(np.maximum(light, 0.0), albedo, normal, traced)


def _likeness(light: F32, noise: F32, traced: Bools) -> F32:
    """How much of the still scenery's noise the frame's light shares around every pixel (C, H, W): the control
    variate's best factor, cov(light, noise) / var(noise). It is 1 in the open and falls to 0 in deep shadow."""
    flags = traced.astype(np.float32)
    planes = np.stack([flags, flags * light, noise, flags * light * noise, noise * noise], axis=-1)
    count, mean, bias, product, square = np.moveaxis(
        ndimage.uniform_filter(planes, size=(1, LIKENESS, LIKENESS, 1), mode="constant"), -1, 0
    )
    count = np.maximum(count, 1e-6)
    covariance = product / count - mean * bias / count**2
    factor = covariance / np.maximum(square / count - (bias / count) ** 2, 1e-9)
    return np.clip(factor, 0.0, 1.0).astype(np.float32)


def _grown(mask: Bools, pixels: int) -> Bools:
    """Images (C, H, W) of flags spread by so many pixels."""
    spread: Any = ndimage.maximum_filter(mask, size=(1, 2 * pixels + 1, 2 * pixels + 1))
    return spread


def _probe(tracer: PathTracer, scene: EpisodeScene, layer: StillLayer, seen: Bools, samples: int) -> tuple[Bools, F32]:
    """Where light changes much (C, H, W), and by what share it changes elsewhere (C, H, W, 3), smoothly."""
    _, height, width = tracer.size
    grid = np.zeros_like(seen)
    grid[:, ::PROBE, ::PROBE] = True
    pixels = np.flatnonzero(grid & ~seen).astype(np.uint32)
    number = (_mixed(pixels) % np.uint32(samples)).astype(np.uint32)
    difference = tracer.trace(scene.full, pixels, number, 1).light[:, 0] - layer.samples[pixels, number]
    clean = layer.light.reshape(-1, 3)[pixels]
    camera, row, column = np.unravel_index(pixels, tracer.size)
    probes = np.zeros((*grid[:, ::PROBE, ::PROBE].shape, 8), np.float32)
    probes[camera, row // PROBE, column // PROBE] = np.column_stack(
        [difference, np.abs(difference @ _LUMINANCE), clean, clean @ _LUMINANCE]
    )
    near = ndimage.uniform_filter(probes, size=(1, SMOOTH, SMOOTH, 1), mode="constant")
    change = _grown(near[..., 3] > CHANGED * np.maximum(near[..., 7], 1e-4), 1)
    rest = np.where(change[..., None], 0.0, probes)
    wide = _share(ndimage.uniform_filter(rest, size=(1, 3 * SMOOTH, 3 * SMOOTH, 1), mode="constant"))
    # a change that stands out of the probes' noise is taken from near by, so that traced regions have no rim
    local = _share(near)
    trust = np.clip(np.abs(local @ _LUMINANCE) / (0.5 * CHANGED) - 0.5, 0.0, 1.0)[..., None]
    far = _enlarged((1.0 - trust) * wide + trust * local, height, width)
    return change[:, np.arange(height) // PROBE][:, :, np.arange(width) // PROBE], far


def _share(sums: Any) -> Any:
    """Of the light that changes (…, 3)."""
    return np.clip(sums[..., :3] / np.maximum(sums[..., 4:7], 1e-4), -0.9, 0.9)


def _enlarged(values: Any, height: int, width: int) -> F32:
    """Values at the probes' pixels (C, h, w, 3) at all pixels, linear in between."""
    for axis, size in ((1, height), (2, width)):
        place = np.minimum(np.arange(size, dtype=np.float32) / PROBE, values.shape[axis] - 1)
        low = place.astype(int)
        high = np.minimum(low + 1, values.shape[axis] - 1)
        t = (place - low).astype(np.float32).reshape((1, size, 1, 1) if axis == 1 else (1, 1, size, 1))
        values = (1.0 - t) * values.take(low, axis) + t * values.take(high, axis)
    return values


def _mixed(x: U32) -> U32:
    """Bits well mixed."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    return x ^ (x >> np.uint32(15))
