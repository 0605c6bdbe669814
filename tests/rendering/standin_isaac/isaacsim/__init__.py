import os
import sys

import standin_scene


class SimulationApp:
    def __init__(self, launch_config: dict | None = None, experience: str = "") -> None:
        assert not [name for name in sys.modules if name.partition(".")[0] in ("omni", "carb", "pxr")]
        with open(os.environ["STANDIN_STARTS"], "a") as file:
            file.write(f"{os.getpid()} {sys.argv[1:]} {launch_config!r}\n")
        standin_scene.started = True
        print("[Info] Kit says this on stdout, SGIS and all")
        sys.stdout.buffer.write(bytes(range(256)) * 300)
        sys.stdout.flush()

    def update(self) -> None:
        if standin_scene.playing:
            standin_scene.seconds += 1.0 / 60.0

    def reset_render_settings(self) -> None:
        pass

    def close(self, wait_for_replicator: bool = True, skip_cleanup: bool = False) -> None:
        os._exit(0)  # fast shutdown
