"""The builtin household: one function per family, from drawn sizes to a part. Ranges are in assets/objects/families.yaml."""
