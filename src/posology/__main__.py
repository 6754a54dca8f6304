"""`python -m posology` is the command `posology`."""

from posology.cli import main

if __name__ == "__main__":
    main()
