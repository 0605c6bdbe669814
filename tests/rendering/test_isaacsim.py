"""Renderer `isaacsim` end to end: the true worker script in a process of its own, over real pipes.

Isaac Sim's Python is stood in for by one with modules of the same names (standin_isaac), which reads the stage through
pxr and pictures it with Embree.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from syngrasp.errors import IsaacSimFailed, IsaacSimMissing
from syngrasp.rendering.annotate import FIRST_OBJECT, ROBOT, TABLE
from syngrasp.rendering.isaacsim.process import JobFailed
from syngrasp.rendering.isaacsim.renderer import VARIABLE, WORKER, IsaacSimConfig, IsaacSimRenderer, isaacsim_python
from syngrasp.robots.base import Robot
from tests.rendering.conftest import SIZE, Shot

pytest.importorskip("pxr", reason="usd-core is not installed: pip install 'syngrasp[usd]'")

STANDIN = Path(__file__).with_name("standin_isaac") / "python.sh"


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in's log of its starts, a line each; it misbehaves only where a test says so."""
    STANDIN.chmod(STANDIN.stat().st_mode | stat.S_IXUSR)
    path = tmp_path / "starts"
    path.write_text("")
    monkeypatch.setenv("STANDIN_STARTS", str(path))
    monkeypatch.setenv("STANDIN_PYTHON", sys.executable)
    monkeypatch.setenv("STANDIN_FAULT", "")
    return path


def renderer(robot: Robot, size: int = 32, **config: object) -> IsaacSimRenderer:
    settings = {"python": str(STANDIN), "gpu": 0, "open_deadline": 60.0, **config}
    return IsaacSimRenderer(robot, size, size, IsaacSimConfig(**settings))


def alive(starts: Path) -> list[int]:
    """The stand-in processes that still run."""
    pids = [int(line.split()[0]) for line in starts.read_text().splitlines()]
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_it_sees_what_the_ray_tracer_sees(robot: Robot, shot: Shot, starts: Path) -> None:
    """Labels, cameras, poses, depth and the order of frames, against another renderer of the same look."""
    isaac = renderer(robot, SIZE)
    try:
        found = isaac.render(shot.rollout, shot.models, shot.look)
    finally:
        isaac.close()
    assert found is not None
    ours = shot.pictures
    for label in (ROBOT, TABLE, *(FIRST_OBJECT + i for i in range(4))):
        for frame in range(len(ours.masks)):
            a, b = ours.masks[frame] == label, found.masks[frame] == label
            if b.sum() > 200:
                assert (a & b).sum() / (a | b).sum() > 0.98, (label, frame)
    assert isaac.box_error == 0.0
    both = (ours.masks == found.masks) & (ours.masks > 0)
    difference = np.abs(ours.depth.astype(int) - found.depth.astype(int))[both]
    assert np.quantile(difference, 0.99) <= 1
    assert not np.array_equal(found.masks[0], found.masks[-1])
    assert found.images.std() > 10.0
    assert isaac.describe()["version"] == "5.1.0"
    assert alive(starts) == []


def test_a_refused_episode_costs_one_frame_and_the_next_uses_the_same_process(
    robot: Robot, shot: Shot, starts: Path
) -> None:
    isaac, asked = renderer(robot), []
    try:
        assert isaac.render(shot.rollout, shot.models, shot.look, lambda masks: bool(asked.append(masks))) is None
        found = isaac.render(shot.rollout, shot.models, shot.look, lambda masks: True)
    finally:
        isaac.close()
    assert found is not None
    assert len(asked) == 1
    assert np.array_equal(asked[0], found.masks[0])
    assert len(starts.read_text().splitlines()) == 1


def test_the_process_is_replaced_after_its_episodes(robot: Robot, shot: Shot, starts: Path) -> None:
    isaac, pictures = renderer(robot, recycle=1), []
    try:
        pictures = [isaac.render(shot.rollout, shot.models, shot.look) for _ in range(2)]
    finally:
        isaac.close()
    assert len(starts.read_text().splitlines()) == 2
    assert pictures[0] is not None
    assert pictures[1] is not None
    assert np.array_equal(pictures[0].images, pictures[1].images)


@pytest.mark.parametrize("fault", ["hang,2,1", "die,2,1"])
def test_an_episode_survives_a_process_that_does_not(
    robot: Robot, shot: Shot, starts: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("STANDIN_FAULT", fault)
    isaac = renderer(robot, frame_deadline=3.0, restarts=1)
    try:
        found = isaac.render(shot.rollout, shot.models, shot.look)
        assert len(alive(starts)) == 1
    finally:
        isaac.close()
    assert found is not None
    assert len(starts.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("hang,0,9", "silent past its deadline"),
        ("die,0,9", "exit code 7"),
        ("old", "protocol 0; valid: 1"),
        ("lag", r"frame 1 was captured at time code 0\.000"),
    ],
)
def test_a_process_that_always_fails_is_given_up(
    robot: Robot, shot: Shot, starts: Path, monkeypatch: pytest.MonkeyPatch, fault: str, said: str
) -> None:
    """With the reason and what it printed last. Only a process that does not start is a reason to stop a run: an
    episode that is too much for it is left out, as any other fault."""
    kind = IsaacSimFailed if fault == "old" else JobFailed
    monkeypatch.setenv("STANDIN_FAULT", fault)
    isaac = renderer(robot, open_deadline=2.5, restarts=1)
    try:
        with pytest.raises(kind, match=f"failed 2 times: .*{said}") as raised:
            isaac.render(shot.rollout, shot.models, shot.look)
    finally:
        isaac.close()
    assert "," not in fault or f"standin: {fault.partition(',')[0]} at frame 0" in str(raised.value)
    assert alive(starts) == []


def test_a_program_that_does_not_speak_our_protocol(robot: Robot, shot: Shot, tmp_path: Path) -> None:
    chatter = tmp_path / "python.sh"
    chatter.write_text(
        '#!/bin/sh\necho "no such GPU" >&2\necho hello there >"/proc/self/fd/${SYNGRASP_ISAACSIM_PIPES#*,}"\n'
    )
    chatter.chmod(0o755)
    isaac = renderer(robot, python=str(chatter), restarts=0)
    try:
        with pytest.raises(IsaacSimFailed, match=r"does not speak our protocol.*no such GPU"):
            isaac.render(shot.rollout, shot.models, shot.look)
    finally:
        isaac.close()


def test_what_isaac_sim_is_told(robot: Robot, shot: Shot, starts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first GPU that this process was given; no argument that Kit would take for its own."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,4")
    isaac = renderer(robot, gpu=None, mode="real_time", tone="rtx")
    try:
        found = isaac.render(shot.rollout, shot.models, shot.look)
    finally:
        isaac.close()
    assert found is not None
    told = starts.read_text()
    assert " [] " in told
    for part in ("'active_gpu': 3", "'renderer': 'RaytracedLighting'", "'headless': True", "'multi_gpu': False"):
        assert part in told


def test_a_killed_client_leaves_nothing_behind(starts: Path, tmp_path: Path) -> None:
    """Ray kills its actors: Isaac Sim must not live on, nor the stages that were written for it."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    code = (
        "import os\n"
        "from pathlib import Path\n"
        "from syngrasp.rendering.isaacsim.process import WorkerProcess\n"
        f"WorkerProcess(({str(STANDIN)!r}, {str(WORKER)!r}), {{}}, Path({str(scratch)!r}), 60.0)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert len(starts.read_text().splitlines()) == 1
    until = time.monotonic() + 10.0
    while (alive(starts) or scratch.exists()) and time.monotonic() < until:
        time.sleep(0.02)
    assert alive(starts) == []
    assert not scratch.exists()


def test_isaac_sim_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(IsaacSimMissing, match=rf"render\.isaacsim\.python.*{VARIABLE}"):
        isaacsim_python()
    with pytest.raises(IsaacSimMissing, match="is not a program"):
        isaacsim_python(str(tmp_path))
    monkeypatch.setenv(VARIABLE, sys.executable)
    assert isaacsim_python() == Path(sys.executable)


@pytest.mark.skipif(not os.environ.get(VARIABLE), reason=f"{VARIABLE} does not name Isaac Sim's python.sh")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["path_traced", "real_time"])
def test_isaac_sim_itself(robot: Robot, shot: Shot, mode: str) -> None:
    """On a machine with an RTX GPU and Isaac Sim 5.1: the same scene as the ray tracer's, in like light."""
    isaac = IsaacSimRenderer(robot, SIZE, SIZE, IsaacSimConfig(mode=mode))
    try:
        found = isaac.render(shot.rollout, shot.models, shot.look)
    finally:
        isaac.close()
    assert found is not None
    ours = shot.pictures
    for label in (ROBOT, TABLE, *(FIRST_OBJECT + i for i in range(4))):
        a, b = ours.masks == label, found.masks == label
        assert (a & b).sum() / (a | b).sum() > 0.95, label
    assert isaac.box_error <= 1.0
    both = (ours.masks == found.masks) & (ours.masks > 0)
    assert np.quantile(np.abs(ours.depth.astype(int) - found.depth.astype(int))[both], 0.95) <= 2
    assert abs(ours.images.mean() - found.images.mean()) < 40.0
