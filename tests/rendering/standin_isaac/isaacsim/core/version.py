import standin_scene

standin_scene.require_started()


def get_version() -> tuple[str, ...]:
    return ("5.1.0", "rc.19", "5", "1", "0", "rc.19", "standin", "")
