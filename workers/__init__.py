"""Everything that runs on Ray: stage actors, pools and the driver loop."""
