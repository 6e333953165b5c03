"""Runs the command `ragline` for `python -m ragline`."""

from ragline.commands import main

if __name__ == "__main__":
    main()
