"""The loader against its peers: the same pictures and states in every format, each read in a process of its own."""
