"""`python -m ragline` is the command `ragline`."""

from ragline.commands import main

if __name__ == "__main__":
    main()
