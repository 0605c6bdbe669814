import standin_scene

standin_scene.require_started()


class _Settings:
    def set(self, path: str, value: object) -> None:
        standin_scene.settings[path] = value


def get_settings() -> _Settings:
    return _Settings()
