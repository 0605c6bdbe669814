"""Values of a mask."""

BACKGROUND, ROBOT, TABLE, FIRST_OBJECT = 0, 1, 2, 3
"""Object i is FIRST_OBJECT + i."""

MAX_OBJECTS = 256 - FIRST_OBJECT
