"""Imports of other people's datasets into shards of ours."""
