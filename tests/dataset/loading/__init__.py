"""Tests of windows, selections, streams and loaders."""
