"""Whether a dataset is what it says: bytes, numbers, physics, pictures, and episodes beside one another."""
