"""Textures of surfaces: colours and relief."""
