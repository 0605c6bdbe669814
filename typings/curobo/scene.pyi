class Cuboid:
    def __init__(self, name: str, pose: list[float], dims: list[float]) -> None: ...

class Mesh:
    def __init__(
        self, name: str, pose: list[float], vertices: list[list[float]], faces: list[list[int]]
    ) -> None: ...

class Scene:
    def __init__(self, cuboid: list[Cuboid], mesh: list[Mesh]) -> None: ...
