"""An episode as a rerun recording: joins the dataset's reader, the robot's meshes and the catalog's objects.

Entities: world/<robot link>, world/object<i>, world/table, world/tcp_path, world/goal, world/<camera>/image;
series under action, state, gripper and phase; text under about. Timelines: frame and seconds. World is the base frame.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.errors import SyngraspError

if TYPE_CHECKING:
    from syngrasp.dataset import Dataset
    from syngrasp.dataset.episode_view import EpisodeView
    from syngrasp.rendering.surfaces import SurfaceMesh

TARGET, OTHER, GOAL_PATH = (255, 64, 64), (150, 160, 170), (47, 109, 181)
TABLE_COLOR, TABLE_THICKNESS = (205, 190, 170), 0.02  # [m]
AXES = 0.08  # length of the goal's axes [m]
ACTION_NAMES = ("dx", "dy", "dz", "droll", "dpitch", "dyaw", "gripper")


def has_rerun() -> bool:
    """Whether the extra viz is installed."""
    return importlib.util.find_spec("rerun") is not None


class Recording:
    """A rerun stream of one episode, and what could not be logged into it."""

    def __init__(self, view: EpisodeView) -> None:
        import rerun as rr

        self.view, self.missing = view, list[str]()
        self.stream = rr.RecordingStream("syngrasp", recording_id=f"{view.line['shard']}-{view.line['episode']}")
        self.stream.set_log_time_enabled(False)  # the episode has its own times
        frames = np.arange(view.length)
        self._times = [rr.TimeColumn("frame", sequence=frames)]
        if "dt" in view.line:
            self._times.append(rr.TimeColumn("seconds", duration=frames * view.line["dt"]))
        self.blueprint: Any = None

    def write(self, path: Path) -> None:
        """Writes the file; a file of that name appears whole or not at all."""
        part = path.with_name(f".{path.stem}.part.rrd")
        self.stream.save(part, default_blueprint=self.blueprint)
        self.stream.flush()
        self.stream.disconnect()
        os.replace(part, path)

    def fixed(self, path: str, *archetypes: Any) -> None:
        """Logs what is the same at all times."""
        for archetype in archetypes:
            self.stream.log(path, archetype, static=True)

    def columns(self, path: str, columns: Any) -> None:
        """Logs a value per frame."""
        self.stream.send_columns(path, self._times, columns)

    def moving(self, path: str, T: NDArray[Any], scale: float = 1.0) -> None:
        """Logs an entity's motion, T (F, 4, 4) in base."""
        import rerun as rr

        rows = rr.Transform3D.columns(translation=T[:, :3, 3], mat3x3=scale * T[:, :3, :3])
        self.columns(path, rows)

    def at(self, frame: int) -> None:
        """Sets the time of what is logged next."""
        self.stream.set_time("frame", sequence=frame)
        if "dt" in self.view.line:
            self.stream.set_time("seconds", duration=frame * self.view.line["dt"])


def record(dataset: Dataset, view: EpisodeView, catalog: str | Path) -> Recording:
    """Logs an episode. What the dataset or the machine lacks is left out and named in `missing`."""
    recording = Recording(view)
    _log_text(recording)
    _log_series(recording)
    _log_robot(recording, dataset.info.recipe.get("robot"))
    _log_objects(recording, catalog, dataset.info.catalog_hash)
    _log_poses(recording)
    cameras = [name for row, name in enumerate(dataset.cameras) if _log_camera(recording, dataset, row, name)]
    recording.blueprint = _blueprint(cameras)
    return recording


def _log_text(recording: Recording) -> None:
    import rerun as rr

    line = recording.view.line
    rows = [f"| {item['uid']} | {item.get('category', '')} | {item.get('license', '')} |" for item in line["objects"]]
    text = [f"# {line['instruction']}", "", "| object | category | licence |", "|---|---|---|", *rows]
    recording.fixed("about", rr.TextDocument("\n".join(text), media_type=rr.MediaType.MARKDOWN))


def _log_series(recording: Recording) -> None:
    """Actions, joints, gripper and phase as scalars over time."""
    import rerun as rr

    view = recording.view
    for name, path in (
        ("action", "action"),
        ("joint_position", "state/joint_position"),
        ("joint_velocity", "state/joint_velocity"),
        ("gripper_width", "gripper/width"),
        ("phase", "phase"),
    ):
        if name not in view:
            recording.missing.append(name)
            continue
        values = np.asarray(view[name], np.float64).reshape(view.length, -1)
        count = values.shape[1]
        names = ACTION_NAMES if name == "action" else [f"{name} {k + 1}" if count > 1 else name for k in range(count)]
        recording.fixed(path, rr.SeriesLines(names=list(names)))
        recording.columns(path, rr.Scalars.columns(scalars=values))


def _log_robot(recording: Recording, config: Any) -> None:
    """The robot's links, moved by forward kinematics."""
    from syngrasp.rendering.parts import RobotMeshes
    from syngrasp.robots import RobotConfig, make_robot

    view = recording.view
    if config is None or "joint_position" not in view:
        recording.missing.append("the robot (no joint positions, or no robot in the recipe)")
        return
    meshes = RobotMeshes(make_robot(RobotConfig.model_validate(config)))
    R, p = meshes.poses(view["joint_position"], view["gripper_width"])
    for b, (name, mesh) in enumerate(zip(meshes.names, meshes.meshes, strict=True)):
        recording.fixed(f"world/{name}", _mesh(mesh))
        recording.moving(f"world/{name}", se3.make(R[:, b], p[:, b]))


def _log_objects(recording: Recording, path: str | Path, made_from: str) -> None:
    """Objects as the catalog's meshes, or as axes where the catalog does not have them."""
    import rerun as rr

    from syngrasp.objects.catalog import Catalog
    from syngrasp.rendering.parts import object_mesh

    view = recording.view
    if "object_pose" not in view:
        recording.missing.append("object_pose")
        return
    try:
        catalog = Catalog.open(path)
    except SyngraspError as error:
        catalog = None
        recording.missing.append(f"objects' meshes ({error})")
    if catalog is not None and catalog.hash != made_from:
        recording.missing.append(f"certainty about the objects' meshes: {path} is not the catalog it was made from")
    poses = se3.matrix_from_pose7(view["object_pose"][:, : len(view.line["objects"])])
    for i, item in enumerate(view.line["objects"]):
        entity, scale = f"world/object{i}", 1.0
        shape: Any = rr.TransformAxes3D(AXES)
        if catalog is not None:
            try:
                shape, scale = _mesh(object_mesh(catalog.load(item["uid"]))), item["scale"]
            except SyngraspError as error:
                recording.missing.append(f"the mesh of {item['uid']} ({error})")
        recording.fixed(entity, shape)
        recording.moving(entity, poses[:, i], scale)


def _log_poses(recording: Recording) -> None:
    """The table, the TCP's path and the goal's axes."""
    import rerun as rr

    view = recording.view
    recording.fixed("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP)
    if "table" in view.line:
        table = view.line["table"]
        center = [*table["center"], table["height"] - TABLE_THICKNESS / 2]
        sizes = [*table["size"], TABLE_THICKNESS]
        fill = rr.components.FillMode.Solid
        recording.fixed(
            "world/table", rr.Boxes3D(centers=[center], sizes=[sizes], colors=[TABLE_COLOR], fill_mode=fill)
        )
    if "ee_pose" in view:
        recording.fixed("world/tcp_path", rr.LineStrips3D([view["ee_pose"][:, :3]], colors=[GOAL_PATH], radii=0.002))
    if "goal_pose" in view:
        recording.fixed("world/goal", rr.TransformAxes3D(AXES))
        recording.moving("world/goal", se3.matrix_from_pose7(view["goal_pose"]))


def _log_camera(recording: Recording, dataset: Dataset, row: int, name: str) -> bool:
    """A camera with its pictures as they are stored, boxes, masks and depth. False where there are no pictures."""
    import rerun as rr

    from syngrasp.dataset.export.frames import stored_jpegs

    view = recording.view
    if "images" not in view:
        recording.missing.append(f"pictures of {name}")
        return False
    height, width = view.shape("images")[-3:-1]
    camera, image = f"world/{name}", f"world/{name}/image"
    if "camera_intrinsics" in view and "T_base_camera" in view:
        T, K = view["T_base_camera"][row], view["camera_intrinsics"][row]
        recording.fixed(camera, rr.Transform3D(translation=T[:3, 3], mat3x3=T[:3, :3]))
        recording.fixed(
            image,
            rr.Pinhole(
                image_from_camera=K,
                resolution=[width, height],
                camera_xyz=rr.ViewCoordinates.RDF,
                image_plane_distance=0.2,
            ),
        )
    else:
        recording.missing.append(f"where {name} is")
    position = next(k for k, commit in enumerate(dataset.commits) if commit.shard == view.line["shard"])
    shard, first = dataset.shard(position), view.frames[0] - dataset.first_frame(view.line["shard"])
    jpegs = [bytes(stored_jpegs(shard, first + f)[row]) for f in range(view.length)]
    recording.columns(image, rr.EncodedImage.columns(blob=jpegs, media_type=["image/jpeg"] * view.length))
    if "bbox" in view:
        _log_boxes(recording, f"{image}/boxes", view["bbox"][:, row])
    for array, archetype in (("masks", rr.SegmentationImage), ("depth", lambda d: rr.DepthImage(d, meter=1000.0))):
        if array in view:
            for frame, plane in enumerate(view[array][:, row]):
                recording.at(frame)
                recording.stream.log(f"{image}/{array}", archetype(plane))
    return True


def _log_boxes(recording: Recording, path: str, boxes: NDArray[Any]) -> None:
    """Boxes (F, N, 4) of the objects in view, the target's in a colour of its own."""
    import rerun as rr

    line = recording.view.line
    for frame, rows in enumerate(boxes[:, : len(line["objects"])]):
        seen = np.flatnonzero(~np.isnan(rows).any(1))
        recording.at(frame)
        recording.stream.log(
            path,
            rr.Boxes2D(
                array=rows[seen],
                array_format=rr.Box2DFormat.XYXY,
                labels=[line["objects"][i].get("category", line["objects"][i]["uid"]) for i in seen],
                colors=[TARGET if i == line["target"] else OTHER for i in seen],
            ),
        )


def _mesh(mesh: SurfaceMesh) -> Any:
    """A mesh with corners of its own for each face, so that edges stay sharp. Face colours are linear."""
    import rerun as rr

    linear = np.clip(mesh.face_color, 0.0, 1.0)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rr.Mesh3D(
        vertex_positions=mesh.vertices[mesh.faces.ravel()],
        triangle_indices=np.arange(mesh.faces.size).reshape(-1, 3),
        vertex_normals=mesh.corner_normal,
        vertex_colors=np.repeat((255 * srgb).round().astype(np.uint8), 3, axis=0),
    )


def _blueprint(cameras: Sequence[str]) -> Any:
    """The scene beside the cameras, series below."""
    import rerun.blueprint as rrb

    pictures = [rrb.Spatial2DView(origin=f"world/{name}/image", name=name) for name in cameras]
    scene = rrb.Spatial3DView(origin="world", name="scene")
    plots = [rrb.TimeSeriesView(origin=name, name=name) for name in ("action", "state", "gripper", "phase")]
    top = rrb.Horizontal(scene, rrb.Vertical(*pictures), column_shares=[2, 1]) if pictures else scene
    bottom = rrb.Horizontal(*plots, rrb.TextDocumentView(origin="about", name="about"))
    return rrb.Blueprint(rrb.Vertical(top, bottom, row_shares=[2, 1]), collapse_panels=True)


def summarize(dataset: Dataset, view: EpisodeView) -> None:
    """What an episode holds, on the terminal, with a contact sheet where there are pictures, without rerun."""
    from syngrasp.cli.output import print_pairs

    pairs: dict[str, Any] = {
        "instruction": view.line["instruction"],
        "target": view.line["target_uid"],
        "frames": view.length,
        "licences": ", ".join(sorted({item.get("license", "") for item in view.line["objects"]})),
    }
    # The sheet's header tells of the lift and the grasp, which imported episodes do not have.
    if "images" in view and {"lift", "grasp"} <= view.line.keys():
        from syngrasp.dataset.show import contact_sheet

        path = Path(f"episode-{view.index}.png")
        contact_sheet(dataset, view.index).save(path)
        pairs["contact sheet"] = str(path)
    print_pairs(pairs)
    print("the viewer rerun is not installed; install it with: pip install 'syngrasp[viz]'")
