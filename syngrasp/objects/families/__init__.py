"""The builtin household: one function per family, from drawn sizes to a part.

Their ranges and colours are in assets/objects/families.yaml.
"""
