"""Datasets as training wants them: windows, selections and splits, shuffled and mixed streams that can be resumed."""
