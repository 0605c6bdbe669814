"""What pictures cost: per image with and without shadows, per episode, in memory, beside mujoco-warp's own renderer.

    python -m tests.benchmarks.bench_render [--episodes 6] [--frames 48] [--catalog CATALOG] [--json]

CPU time of one thread at 256 × 256 with boxes, masks and depth. Compare the ratios, not the milliseconds of different
machines. Scenes: the arm moves over six objects while the target rises; lamps, textures and cameras as drawn.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from dataclasses import replace

import mujoco
import numpy as np
import warp as wp

from syngrasp.objects.catalog import Catalog
from syngrasp.records import ObjectModel, Rollout
from syngrasp.rendering.annotate import boxes_from_masks
from syngrasp.rendering.mjwarp import MjWarpRenderer
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


def make_rollout(seed: int, frames: int, models: list[ObjectModel]) -> Rollout:
    """The arm reaches down from its home over one of several layouts."""
    robot, rng = make_robot(RobotConfig()), named_rng(seed, "bench")
    scene = scenes.scene(models, float(rng.uniform(-0.1, 0.2)))
    reach = np.array([rng.uniform(-0.4, 0.4), 0.45, 0.0, -0.2, 0.0, 0.5, 0.0])
    return scenes.rollout(scene, robot.q_home, robot.q_home + reach, frames, lift=0.12)


def run(episodes: int = 6, frames: int = 48, catalog: str | None = None) -> dict[str, float]:
    """Figures by name."""
    robot = make_robot(RobotConfig())
    models = scenes.household()
    if catalog is not None:
        opened = Catalog.open(catalog)
        models = [opened.load(entry.uid) for entry in opened.entries[: len(models)]]
    figures = {"renderer start s": 0.0}
    begin = time.process_time()
    renderer = MjWarpRenderer(robot, SIZE, SIZE)
    rollouts = [make_rollout(seed, frames, models) for seed in range(episodes)]
    streams = [named_rng(seed, "bench", "look") for seed in range(episodes)]
    looks = [draw_look(r.scene, RandomizeConfig(), PAPER_CAMERAS, s) for r, s in zip(rollouts, streams, strict=True)]
    first = replace(rollouts[0], joint_position=rollouts[0].joint_position[:1])
    renderer.render(replace(first, object_pose=rollouts[0].object_pose[:1]), models, looks[0])
    figures["renderer start s"] = time.process_time() - begin
    images = episodes * frames * len(PAPER_CAMERAS)

    def annotate(r: Rollout, look: object) -> None:
        pictures = renderer.render(r, models, look)  # type: ignore[arg-type]
        assert pictures is not None
        boxes_from_masks(pictures.masks, len(models))

    pairs = list(zip(rollouts, looks, strict=True))
    total = sum(cpu(lambda r=r, k=k: annotate(r, k)) for r, k in pairs)
    dark = [(r, replace(k, lights=())) for r, k in pairs]
    figures["ms per image"] = 1e3 * total / images
    figures["two-camera frames/s"] = images / 2 / total
    figures["lamps per look"] = sum(len(k.lights) for k in looks) / episodes
    figures["ms per image without lamps"] = 1e3 * sum(cpu(lambda r=r, k=k: annotate(r, k)) for r, k in dark) / images
    short = [(replace(r, joint_position=r.joint_position[:1], object_pose=r.object_pose[:1]), k) for r, k in pairs]
    refused = sum(cpu(lambda r=r, k=k: renderer.render(r, models, k, accept=lambda m: False)) for r, k in short)
    figures["ms per episode before its first image"] = 1e3 * refused / episodes
    figures["peak memory MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures["mujoco-warp ms per image, 3 lamps"] = 1e3 * _mujoco_warp(rollouts[0], models, shadows=True)
    figures["mujoco-warp ms per image, no shadows"] = 1e3 * _mujoco_warp(rollouts[0], models, shadows=False)
    return figures


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
    parser.add_argument("--catalog", help="objects; without it, simple solids")
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
