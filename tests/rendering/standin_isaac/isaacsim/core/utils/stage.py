import os

import standin_scene

standin_scene.require_started()


def open_stage(usd_path: str) -> bool:
    standin_scene.path = usd_path
    return os.path.isfile(usd_path)


def is_stage_loading() -> bool:
    return False


def get_current_stage():
    return standin_scene.stage()
