"""`python -m syngrasp`."""

from syngrasp.cli import main

if __name__ == "__main__":
    main()
