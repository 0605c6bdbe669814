"""Path tracing: laws of light, equal samples, labels; skipped without Mitsuba, LLVM laws without its library."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from syngrasp.errors import SyngraspError
from syngrasp.records import Rollout
from syngrasp.rendering.look import Look
from syngrasp.rendering.mitsuba.config import MitsubaConfig
from syngrasp.rendering.mitsuba.renderer import MitsubaRenderer
from syngrasp.rendering.mitsuba.variant import find_llvm, start_mitsuba
from syngrasp.robots.base import Robot
from tests.rendering.conftest import Shot

if find_spec("mitsuba") is None or find_spec("pyoidn") is None:  # importing Mitsuba fixes which LLVM it takes
    pytest.skip("extra photoreal is not installed", allow_module_level=True)
needs_llvm = pytest.mark.skipif(find_llvm() is None, reason="no libLLVM 17 or newer: make photoreal")
SIZE = 64


def make(robot: Robot, **options: object) -> MitsubaRenderer:
    return MitsubaRenderer(robot, SIZE, SIZE, MitsubaConfig.model_validate(options))


def noiseless(look: Look) -> Look:
    return replace(look, sensor=replace(look.sensor, noise=0.0))


@pytest.fixture(scope="module")
def split(robot: Robot) -> MitsubaRenderer:
    return make(robot, variant="llvm", spp=8)


@needs_llvm
def test_a_convex_surface_under_an_even_sky_returns_its_albedo(
    robot: Robot, shot: Shot, split: MitsubaRenderer
) -> None:
    """White furnace: a matt ball far from all else, light from everywhere, no paint: radiance = albedo · sky."""
    import mitsuba as mi

    from syngrasp.rendering.mitsuba.frames import PathTracer

    ball = {"type": "sphere", "radius": 0.2, "bsdf": {"type": "diffuse", "reflectance": {"type": "rgb", "value": 0.6}}}
    scene = mi.load_dict({"type": "scene", "ball": ball, "sky": {"type": "constant", "radiance": 1.0}})
    tracer = PathTracer(shot.look.cameras[:1], SIZE, SIZE, 1, 6)
    tracer.limit(100.0)
    pixels = np.arange(SIZE * SIZE, dtype=np.uint32)
    found = tracer.trace(scene, pixels, np.zeros_like(pixels), 16)
    inside = (found.shape != 0).all(axis=1)
    assert inside.sum() > 100
    assert np.isclose(found.light[inside].mean(), 0.6, rtol=0.01)


@needs_llvm
def test_a_sample_is_the_same_whatever_else_is_traced(shot: Shot, split: MitsubaRenderer) -> None:
    from syngrasp.rendering.mitsuba.frames import PathTracer

    scene = split.episode(shot.rollout, shot.models, shot.look)
    tracer = PathTracer(shot.look.cameras, SIZE, SIZE, 1, 6)
    tracer.limit(100.0)
    pixels = np.arange(0, 2 * SIZE * SIZE, 7, dtype=np.uint32)
    all_of_them = tracer.trace(scene.full, pixels, np.zeros_like(pixels), 4)
    some = tracer.trace(scene.full, pixels[::-3], np.full(len(pixels[::-3]), 2, np.uint32), 1)
    assert np.array_equal(some.light[:, 0], all_of_them.light[::-3, 2])
    still = tracer.trace(scene.still, pixels, np.zeros_like(pixels), 4)
    assert (still.light == all_of_them.light).mean() > 0.3


@needs_llvm
def test_the_split_shows_what_whole_films_show(robot: Robot, shot: Shot, split: MitsubaRenderer) -> None:
    """Our integrator over equal samples against Mitsuba's own on whole films, in another variant."""
    look = noiseless(shot.look)
    ours = split.render(_frames(shot, [0, -1]), shot.models, look)
    whole = make(robot, variant="scalar", spp=64).render(_frames(shot, [0, -1]), shot.models, look)
    assert ours is not None
    assert whole is not None
    difference = ours.images[-1].astype(float) - whole.images[-1]
    assert abs(difference.mean()) < 1.0
    assert 10 * np.log10(255**2 / (difference**2).mean()) > 30.0


@needs_llvm
def test_equal_calls_give_equal_pixels_and_shadows_move(robot: Robot, shot: Shot) -> None:
    renderer = make(robot, variant="llvm", spp=2, still_spp=8)
    look = noiseless(shot.look)
    one, two = (renderer.render(shot.rollout, shot.models, look) for _ in range(2))
    assert one is not None
    assert two is not None
    assert np.array_equal(one.images, two.images)
    same = (one.masks[0] == one.masks[-1]) & (one.masks[0] < 3)
    change = np.abs(one.images[0].astype(int) - one.images[-1]).max(axis=-1)[same]
    assert change.max() > 8
    assert np.median(change) <= 3


@needs_llvm
def test_light_is_the_fast_tracers(shot: Shot, split: MitsubaRenderer) -> None:
    """Pictures have the brightness that the fast tracer gives them."""
    found = split.render(_frames(shot, [0, -1]), shot.models, noiseless(shot.look))
    assert found is not None
    ratio = found.images[-1].mean() / shot.pictures.images[-1].mean()
    assert 0.8 < ratio < 1.25


@pytest.mark.parametrize("variant", ["scalar", pytest.param("llvm", marks=needs_llvm)])
def test_a_refused_first_frame_costs_no_light(robot: Robot, shot: Shot, variant: str) -> None:
    renderer = make(robot, variant=variant)
    seen = []

    def refuse(masks: np.ndarray) -> bool:
        seen.append(masks)
        return False

    assert renderer.render(shot.rollout, shot.models, shot.look, refuse) is None
    assert seen[0].shape == (2, SIZE, SIZE)
    assert renderer.describe()["variant"].startswith(variant)


def test_a_variant_that_cannot_run_is_named() -> None:
    with pytest.raises(SyngraspError, match=r"vulkan.*valid: auto"):
        start_mitsuba("vulkan", 1)


def _frames(shot: Shot, chosen: list[int]) -> Rollout:
    names = ("joint_position", "gripper_width", "object_pose")
    return replace(shot.rollout, **{name: getattr(shot.rollout, name)[chosen] for name in names})
