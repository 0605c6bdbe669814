"""Episodes as USD stages."""
