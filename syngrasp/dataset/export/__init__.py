"""Exports of a dataset in the formats of other programs: LeRobot, WebDataset, RLDS."""
