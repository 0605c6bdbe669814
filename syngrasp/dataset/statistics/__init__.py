"""What a dataset holds, in figures and plots."""
