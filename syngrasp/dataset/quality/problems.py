"""What `verify` finds and how it tells it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

KEPT_PROBLEMS = 1000

KINDS = {
    "file": "a file is missing, cut off or cannot be read",
    "checksum": "a file's bytes are not those that were committed",
    "schema": "arrays are missing or of the wrong shape, or slots are out of order",
    "count": "numbers of shards, slots or stages do not add up",
    "record": "a JSON document is damaged",
    "catalog": "the catalog folder does not hold what is in use",
    "line": "a line of episodes.jsonl lacks something or says what cannot be",
    "not_finite": "a number is not finite, or one is where none may be",
    "quaternion": "a quaternion is not of length one",
    "joint_limit": "a joint beyond its limits",
    "joint_velocity": "a joint faster than it can be, or than its positions say",
    "teleport": "something jumps",
    "gripper_width": "a gripper wider or narrower than it can be",
    "action": "actions do not lead from pose to pose",
    "action_drift": "all actions together do not lead from the first pose to the last",
    "phase": "phases do not follow one another as they may",
    "goal": "goals are not the grasp, or not the next pose",
    "early_motion": "an object moves before the hand closes",
    "penetration": "an object is below the table",
    "lift": "the target does not rise as it is said to",
    "calibration": "a camera is no pinhole camera",
    "projection": "an object is not where its box is",
    "decode": "a picture cannot be decoded",
    "image": "a picture is blank, black or blown out",
    "image_repeat": "two cameras have the same picture",
    "frozen": "pictures stand still while the robot moves",
    "hidden_target": "the target is not to be seen at the start",
    "box": "a visible box is empty or leaves the image",
    "box_mask": "a box is not the extent of its mask",
    "box_full": "a full box does not hold the visible one",
    "occlusion": "what is hidden is no share, or contradicts the box",
    "truncated": "truncation contradicts the full box",
    "mask": "a mask has labels of nothing",
    "depth": "depths are missing or cannot be",
    "duplicate": "an episode occurs twice",
    "split_leak": "an object's name or category would leak through a split",
    "overlap": "an episode or an object occurs in another dataset too",
    "replay": "an episode does not lift when it is executed again",
    "fault": "an episode cannot be checked",
}
"""Every kind of problem, and what it means."""


class Problem(NamedTuple):
    """Something wrong, and where. `episode` is the slot's number in its shard."""

    kind: str
    shard: int | None
    episode: int | None
    array: str | None  # or file
    what: str

    def __str__(self) -> str:
        places = [("shard", self.shard), ("episode", self.episode), ("", self.array)]
        where = ", ".join(f"{name} {value}".strip() for name, value in places if value is not None)
        return f"{where}: {self.what}" if where else self.what


class Finding(NamedTuple):
    """A problem of an episode that is being looked at."""

    kind: str
    array: str | None
    what: str


Found = Iterator[Finding]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was looked at and what is wrong with it."""

    shards: int
    episodes: int
    frames: int
    files: int
    bytes: int
    problems: tuple[Problem, ...]  # the first KEPT_PROBLEMS
    problem_count: int
    kinds: dict[str, int] = field(default_factory=dict)  # how many of each
    offenders: tuple[tuple[int, int], ...] = ()  # shard and slot of episodes with problems
    replayed: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.problem_count == 0

    def with_more(self, problems: Sequence[Problem], replayed: int) -> VerifyReport:
        """This report and what came of replaying some episodes."""
        kinds = Counter(self.kinds) + Counter(problem.kind for problem in problems)
        places = {(p.shard, p.episode) for p in problems if p.shard is not None and p.episode is not None}
        return replace(
            self,
            problems=(*self.problems, *problems)[:KEPT_PROBLEMS],
            problem_count=self.problem_count + len(problems),
            kinds=dict(sorted(kinds.items())),
            offenders=tuple(sorted({*self.offenders, *places})),
            replayed=replayed,
        )

    def as_json(self) -> dict[str, Any]:
        """JSON values, for programs."""
        offenders = [{"shard": shard, "slot": slot} for shard, slot in self.offenders]
        return {"ok": self.ok, **asdict(self), "problems": [p._asdict() for p in self.problems], "offenders": offenders}


class Problems:
    """Collects problems of several threads."""

    def __init__(self) -> None:
        self.kept: list[Problem] = []
        self.kinds: Counter[str] = Counter()
        self.offenders: set[tuple[int, int]] = set()
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.kinds.values())

    def add(
        self, kind: str, what: str, shard: int | None = None, episode: int | None = None, array: str | None = None
    ) -> None:
        """Takes one in."""
        with self._lock:
            self.kinds[kind] += 1
            if shard is not None and episode is not None:
                self.offenders.add((shard, episode))
            if len(self.kept) < KEPT_PROBLEMS:
                self.kept.append(Problem(kind, shard, episode, array, what))
