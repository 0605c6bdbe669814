"""RTX pictures from Isaac Sim, in a process of its own."""
