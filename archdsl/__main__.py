"""`python -m archdsl` is the command line."""

from archdsl.cli import main

if __name__ == "__main__":
    main()
