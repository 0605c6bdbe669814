"""What varies in pictures, drawn from random streams."""
