"""What pictures cost: per image with and without lamps, labels alone, by kernel, per episode, in memory, beside
mujoco-warp's own renderer.

    python -m tests.benchmarks.bench_render [--episodes 6] [--frames 48] [--catalog CATALOG] [--json]

CPU time of one thread at 256 × 256 with boxes, masks and depth. Compare the ratios, not the milliseconds of different
machines. Scenes: the arm moves over six objects of a catalog while one rises; everything else as the default ranges
draw it.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mujoco
import numpy as np
import warp as wp

from syngrasp import se3
from syngrasp.cli.catalogs import catalog_or_builtin
from syngrasp.objects.catalog import Catalog
from syngrasp.records import ObjectModel, PlacedObject, Rollout
from syngrasp.rendering.annotate import boxes_from_masks
from syngrasp.rendering.look import Look
from syngrasp.rendering.mjwarp.renderer import MjWarpRenderer, TraceOptions
from syngrasp.rendering.randomize import PAPER_CAMERAS, RandomizeConfig, draw_look
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.seeding import named_rng
from tests.rendering import scenes

SIZE = 256


def cpu(work: Callable[[], object]) -> float:
    """CPU time [s] of one call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


SPOTS = [(0.45, -0.14), (0.55, 0.1), (0.64, -0.05), (0.4, 0.12), (0.5, -0.02), (0.62, 0.2)]  # [m]


def make_rollout(seed: int, frames: int, catalog: Catalog) -> tuple[Rollout, list[ObjectModel]]:
    """The arm reaches down from its home over six random objects in stable poses."""
    robot, rng = make_robot(RobotConfig()), named_rng(seed, "bench")
    scene = scenes.scene([], float(rng.uniform(-0.1, 0.2)))
    chosen = rng.choice(len(catalog.entries), len(SPOTS), replace=False)
    models, objects = [catalog.load(catalog.entries[i].uid) for i in chosen], []
    for model, (x, y) in zip(models, SPOTS, strict=True):
        scale = float(rng.uniform(*model.entry.scale_range))
        R = model.stable_poses[0][:3, :3]
        bottom = float((scale * model.visual.vertices @ R.T)[:, 2].min())
        pose = se3.pose7_from_matrix(se3.make(R, (x, y, scene.table_height - bottom)))
        objects.append(PlacedObject(uid=model.entry.uid, scale=scale, mass=0.1, friction=1.0, pose=pose))
    reach = np.array([rng.uniform(-0.4, 0.4), 0.45, 0.0, -0.2, 0.0, 0.5, 0.0])
    scene = replace(scene, objects=tuple(objects))
    return scenes.rollout(scene, robot.q_home, robot.q_home + reach, frames, lift=0.12), models


def run(episodes: int = 6, frames: int = 48, catalog: str | None = None) -> dict[str, float]:
    """Figures by name."""
    robot = make_robot(RobotConfig())
    opened = Catalog.open(catalog or catalog_or_builtin(None, lambda event: None))
    figures = {"renderer start s": 0.0}
    begin = time.process_time()
    renderer = MjWarpRenderer(robot, SIZE, SIZE)
    figures["renderer start s"] = time.process_time() - begin
    shots = []
    for seed in range(episodes):
        rollout, models = make_rollout(seed, frames, opened)
        look = draw_look(rollout.scene, RandomizeConfig(), PAPER_CAMERAS, named_rng(seed, "bench", "look"))
        shots.append((rollout, models, look))
    renderer.render(*shots[0])
    images = episodes * frames * len(PAPER_CAMERAS)

    def annotate(rollout: Rollout, models: list[ObjectModel], look: Look) -> None:
        pictures = renderer.render(rollout, models, look)
        assert pictures is not None
        boxes_from_masks(pictures.masks, len(models))

    total = sum(cpu(lambda shot=shot: annotate(*shot)) for shot in shots)
    figures["ms per image"] = 1e3 * total / images
    figures["two-camera frames/s"] = images / 2 / total
    figures["faces of the objects, mean"] = float(np.mean([len(m.visual.faces) for _, ms, _ in shots for m in ms]))
    figures["lamps per look"] = sum(len(look.lights) for *_, look in shots) / episodes
    dark = sum(cpu(lambda r=r, m=m, k=k: annotate(r, m, replace(k, lights=()))) for r, m, k in shots)
    figures["ms per image without lamps"] = 1e3 * dark / images
    figures["ms per image, labels alone"] = (
        1e3 * sum(cpu(lambda shot=shot: renderer.trace_labels(*shot)) for shot in shots) / images
    )
    refused = sum(cpu(lambda shot=shot: renderer.render(*shot, accept=lambda m: False)) for shot in shots)
    figures["ms per episode that is refused"] = 1e3 * refused / episodes
    figures |= {f"  {name} ms per image": 1e3 * s / images for name, s in _by_kernel(renderer, shots)}
    supersampled = MjWarpRenderer(robot, SIZE, SIZE, TraceOptions(samples=4))
    figures["ms per image, 4 samples per pixel"] = 1e3 * cpu(lambda: supersampled.render(*shots[0])) / (2 * frames)
    figures["peak memory MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures["mujoco-warp ms per image, 3 lamps"] = 1e3 * _mujoco_warp(*shots[0][:2], shadows=True)
    figures["mujoco-warp ms per image, no shadows"] = 1e3 * _mujoco_warp(*shots[0][:2], shadows=False)
    return figures


def _by_kernel(renderer: MjWarpRenderer, shots: list[Any]) -> list[tuple[str, float]]:
    """CPU seconds of each kernel over all shots, the slowest first; on a CPU, a launch returns when it is done."""
    spent: dict[str, float] = defaultdict(float)
    launch = wp.launch

    def timed(kernel: Any, *args: Any, **named: Any) -> None:
        spent[kernel.key.rpartition(".")[2]] += cpu(lambda: launch(kernel, *args, **named))

    wp.launch = timed
    try:
        for shot in shots:
            renderer.render(*shot)
    finally:
        wp.launch = launch
    return sorted(spent.items(), key=lambda item: -item[1])[:8]


def _mujoco_warp(rollout: Rollout, models: list[ObjectModel], shadows: bool, worlds: int = 8) -> float:
    """CPU seconds per image of mujoco-warp's renderer on the same robot, objects and table."""
    import mujoco_warp as mjw

    robot, spec = make_robot(RobotConfig()), mujoco.MjSpec()
    names = robot.add_to(spec, visual=True, collision=False, servos=False)
    for i, (model, placed) in enumerate(zip(models, rollout.scene.objects, strict=True)):
        faces, vertices = model.visual.faces, placed.scale * model.visual.vertices
        spec.add_mesh(name=f"m{i}", uservert=vertices.ravel(), userface=faces.ravel())
        body = spec.worldbody.add_body(name=f"object{i}", pos=placed.pose[:3], quat=placed.pose[3:])
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=f"m{i}")
    top = rollout.scene.table_height
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.38, 0.55, 0.02], pos=[0.6, 0, top - 0.02])
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[4, 4, 0.1], pos=[0, 0, top - 0.8])
    for x in (-1.0, 0.5, 1.5):
        spec.worldbody.add_light(pos=[x, 0.5, 2.5], dir=[-0.3 * x, -0.2, -1.0], castshadow=shadows)
    look = draw_look(rollout.scene, RandomizeConfig(), PAPER_CAMERAS, named_rng(0, "bench", "look"))
    for camera in look.cameras:
        pose = np.array(camera.pose)
        flipped = np.array([-pose[4], pose[3], pose[6], -pose[5]])  # OpenCV axes to MuJoCo's: half a turn about x
        spec.worldbody.add_camera(name=camera.name, pos=pose[:3], quat=flipped, fovy=float(np.rad2deg(camera.fovy)))
    compiled = spec.compile()
    data = mujoco.MjData(compiled)
    for name, q in zip(names.joints, rollout.joint_position[0], strict=True):
        data.qpos[compiled.joint(name).qposadr[0]] = q
    mujoco.mj_forward(compiled, data)
    m, d = mjw.put_model(compiled), mjw.put_data(compiled, data, nworld=worlds)
    context = mjw.create_render_context(
        compiled, worlds, (SIZE, SIZE), render_rgb=True, render_depth=True, render_seg=True, use_shadows=shadows
    )
    xpos, xmat = np.empty((worlds, compiled.ngeom, 3)), np.empty((worlds, compiled.ngeom, 3, 3))
    for world in range(worlds):
        for name, q in zip(names.joints, rollout.joint_position[world * len(rollout.phase) // worlds], strict=True):
            data.qpos[compiled.joint(name).qposadr[0]] = q
        mujoco.mj_kinematics(compiled, data)
        xpos[world], xmat[world] = data.geom_xpos, data.geom_xmat.reshape(-1, 3, 3)
    wp.copy(d.geom_xpos, wp.array(xpos, dtype=wp.vec3))
    wp.copy(d.geom_xmat, wp.array(xmat, dtype=wp.mat33))
    mjw.refit_bvh(m, d, context)
    mjw.render(m, d, context)
    return cpu(lambda: (mjw.refit_bvh(m, d, context), mjw.render(m, d, context))) / worlds / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=6)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--catalog", help="objects; without it, the built-in ones")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = run(arguments.episodes, arguments.frames, arguments.catalog)
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:42} {value:10.2f}")


if __name__ == "__main__":
    main()
