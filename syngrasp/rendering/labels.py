"""Values of a mask. Imports nothing, so that whoever only names a label loads no compiler."""

BACKGROUND, ROBOT, TABLE, FIRST_OBJECT = 0, 1, 2, 3
"""Object i of a scene is FIRST_OBJECT + i."""

MAX_OBJECTS = 256 - FIRST_OBJECT
