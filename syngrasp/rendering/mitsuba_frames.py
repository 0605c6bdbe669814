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
from syngrasp.rendering.mitsuba_arrays import aligned, emitter_number
from syngrasp.rendering.mitsuba_kinds import every_kind
from syngrasp.rendering.mitsuba_paths import Numbers, camera_rays, camera_table, first_hits, lesser, radiance
from syngrasp.rendering.mitsuba_scene import EpisodeScene

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
class Plane:
    """What the cameras see at their pixels' centres."""

    shape: U32  # (C, H, W)
    depth: F32  # (C, H, W) along the optical axis [m], 0 for nothing


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
        self._forward = _optical_axis(cameras, width, height)
        self._first, self._light, self._sample = _frozen(_kernels(width, height, depth))

    def limit(self, light: float) -> None:
        """Cuts the light of a path off, against fireflies."""
        import drjit as dr
        import mitsuba as mi

        self._limit = dr.opaque(mi.Float, light)

    def plane(self, scene: Any) -> Plane:
        """What rays through the pixels' centres meet."""
        import mitsuba as mi

        count = int(np.prod(self.size))
        shape, distance = self._first(
            self._kinds, scene, self._table, mi.UInt32(aligned(np.arange(count, dtype=np.uint32)))
        )
        depth = np.array(distance).reshape(self.size) * self._forward
        return Plane(np.array(shape).reshape(self.size), depth.astype(np.float32))

    def light(self, scene: Any, pixels: U32, first: U32, count: int) -> tuple[F32, U32]:
        """Light (N, S, 3) and shapes (N, S) of `trace`, without what only the denoiser reads."""
        light, shape = self._chunks(self._light, scene, pixels, first, count)
        return light, shape

    def trace(self, scene: Any, pixels: U32, first: U32, count: int) -> Samples:
        """Samples first[i] … first[i] + count − 1 of every pixel i (N,); they are the same whatever else is asked."""
        return Samples(*self._chunks(self._sample, scene, pixels, first, count))

    def _chunks(self, kernel: Callable[..., Any], scene: Any, pixels: U32, first: U32, count: int) -> list[Any]:
        import drjit as dr
        import mitsuba as mi

        # a kernel that holds the number itself would fit this scene alone
        dome = dr.opaque(mi.UInt32, emitter_number(scene.environment()))
        parts = []
        rows = max(CHUNK // count, 1)
        for start in range(0, max(len(pixels), 1), rows):
            span = slice(start, start + rows)
            lanes = np.repeat(pixels[span], count)
            numbers = (first[span, None] + np.arange(count, dtype=np.uint32)).ravel()
            rays = (mi.UInt32(aligned(lanes)), mi.UInt32(aligned(numbers)))
            out = kernel(self._kinds, scene, dome, self._table, *rays, self._seed, self._limit)
            vectors = [np.array(values).T.reshape(-1, count, 3) for values in out[:-1]]
            parts.append((*vectors, np.array(out[-1]).reshape(-1, count)))
        return [np.concatenate(values) for values in zip(*parts, strict=True)]


def _kernels(width: int, height: int, depth: int) -> tuple[Callable[..., Any], ...]:
    import drjit as dr
    import mitsuba as mi

    def numbered(si: Any) -> Any:
        return dr.select(si.is_valid(), dr.reinterpret_array(mi.UInt32, si.shape), 0)

    def first(_: Any, scene: Any, table: Any, pixel: Any) -> Any:
        si = first_hits(scene, camera_rays(table, pixel, width, height, 0.5, 0.5))
        return numbered(si), dr.select(si.is_valid(), si.t, 0.0)

    def light(_: Any, scene: Any, dome: Any, table: Any, pixel: Any, number: Any, seed: Any, limit: Any) -> Any:
        return traced(scene, dome, table, pixel, number, seed, limit)[:2]

    def sample(_: Any, scene: Any, dome: Any, table: Any, pixel: Any, number: Any, seed: Any, limit: Any) -> Any:
        found, shape, si = traced(scene, dome, table, pixel, number, seed, limit)
        albedo = si.bsdf().eval_diffuse_reflectance(si, si.is_valid())
        normal = dr.select(si.is_valid() & dr.isfinite(si.sh_frame.n), si.sh_frame.n, 0.0)
        return found, dr.select(albedo > 0.0, lesser(albedo, 1.0), 0.0), normal, shape

    def traced(scene: Any, dome: Any, table: Any, pixel: Any, number: Any, seed: Any, limit: Any) -> Any:
        numbers = Numbers(pixel, number, seed)
        place = numbers.two(mi.UInt32(0))
        ray = camera_rays(table, pixel, width, height, place.x, place.y)
        si = first_hits(scene, ray)
        sky = dr.reinterpret_array(mi.EmitterPtr, dome)
        return radiance(scene, sky, si, ray, numbers, depth, limit), numbered(si), si

    return first, light, sample


def _frozen(kernels: tuple[Callable[..., Any], ...]) -> tuple[Callable[..., Any], ...]:
    """Kernels that are put together once and then replayed: 50 ms a call saved."""
    import drjit as dr

    return tuple(dr.freeze(kernel) for kernel in kernels)


def _optical_axis(cameras: tuple[CameraLook, ...], width: int, height: int) -> F32:
    """Depth (C, H, W) per distance along the pixels' rays."""
    out = np.empty((len(cameras), height, width), np.float32)
    for plane, camera in zip(out, cameras, strict=True):
        K = camera.intrinsics(width, height)
        u, v = (np.arange(width) + 0.5 - K[0, 2]) / K[0, 0], (np.arange(height) + 0.5 - K[1, 2]) / K[1, 1]
        plane[...] = 1.0 / np.sqrt(1.0 + u[None] ** 2 + v[:, None] ** 2)
    return out


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


def trace_frame(tracer: PathTracer, scene: EpisodeScene, layer: StillLayer, plane: Plane, samples: int) -> Noisy:
    """A frame whose moving meshes are in place; `plane` is what its pixels' centres see."""
    moving = np.isin(plane.shape, scene.moving_numbers)
    if not moving.any() and not len(scene.moving_numbers):
        return Noisy(layer.light.copy(), layer.albedo, layer.normal, np.zeros(tracer.size, bool))
    seen = _grown(moving, 1)
    change, far = _probe(tracer, scene, layer, seen, samples)
    traced = seen | _grown(moving, AROUND) | change
    light = layer.light * (1.0 + far)
    albedo, normal = layer.albedo.copy(), layer.normal.copy()
    noise = np.zeros_like(light)
    for chosen in (seen, traced & ~seen):
        pixels = np.flatnonzero(chosen).astype(np.uint32)
        rows, first = np.unravel_index(pixels, tracer.size), np.zeros_like(pixels)
        if chosen is seen:
            found = tracer.trace(scene.full, pixels, first, samples)
            got, shape = found.light, found.shape
        else:
            found = None  # still pixels keep their surfaces
            got, shape = tracer.light(scene.full, pixels, first, samples)
        still = ~np.isin(shape, scene.moving_numbers)
        share = still.mean(axis=1, dtype=np.float32)[:, None]
        known = (layer.samples[pixels] * still[..., None]).mean(axis=1)
        light[rows] = got.mean(axis=1)
        noise[rows] = known - share * layer.light[rows]
        if found is not None:
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
    count, height, width = tracer.size
    grid = np.zeros_like(seen)
    grid[:, ::PROBE, ::PROBE] = True
    pixels = np.flatnonzero(grid & ~seen).astype(np.uint32)
    number = (_mixed(pixels) % np.uint32(samples)).astype(np.uint32)
    light = tracer.light(scene.full, pixels, number, 1)[0][:, 0]
    known = layer.samples[pixels, number]
    planes = np.zeros((count, height, width, 8), np.float32)
    clean = layer.light.reshape(-1, 3)[pixels]
    difference = light - known
    rows = np.unravel_index(pixels, tracer.size)
    planes[rows] = np.column_stack([difference, np.abs(difference @ _LUMINANCE), clean, clean @ _LUMINANCE])
    small = planes[:, ::PROBE, ::PROBE]
    mean = ndimage.uniform_filter(small, size=(1, SMOOTH, SMOOTH, 1), mode="constant")
    change = _grown(mean[..., 3] > CHANGED * np.maximum(mean[..., 7], 1e-4), 1)
    small = np.where(change[..., None], 0.0, small)
    wide = ndimage.uniform_filter(small, size=(1, 3 * SMOOTH, 3 * SMOOTH, 1), mode="constant")
    far = np.clip(wide[..., :3] / np.maximum(wide[..., 4:7], 1e-4), -0.9, 0.9)
    zoom = (slice(None), np.minimum(np.arange(height) // PROBE, small.shape[1] - 1))
    column = np.minimum(np.arange(width) // PROBE, small.shape[2] - 1)
    return change[zoom][:, :, column], far[zoom][:, :, column].astype(np.float32)


def _mixed(x: U32) -> U32:
    """Bits well mixed."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    return x ^ (x >> np.uint32(15))
