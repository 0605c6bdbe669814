"""A clock whose changes wait for `commit`, within its bounds, as omni.timeline's do."""

import standin_scene

standin_scene.require_started()


class _Timeline:
    start, end, wanted = 0.0, 0.0, 0.0

    def stop(self) -> None:
        standin_scene.playing = False

    def set_start_time(self, seconds: float) -> None:
        self.start = seconds

    def set_end_time(self, seconds: float) -> None:
        self.end = seconds

    def set_looping(self, looping: bool) -> None:
        pass

    def set_current_time(self, seconds: float) -> None:
        self.wanted = min(max(seconds, self.start), self.end)

    def commit(self) -> None:
        if not standin_scene.lagging():
            standin_scene.seconds = self.wanted

    def get_current_time(self) -> float:
        return standin_scene.seconds


_timeline = _Timeline()


def get_timeline_interface() -> _Timeline:
    return _timeline
