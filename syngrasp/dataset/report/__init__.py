"""One page about a dataset: figures, charts, and episodes that play."""
