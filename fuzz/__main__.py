"""Run `python -m fuzz [FORMAT ...] [--inputs N] [--seed S]`, or one input: `--case FORMAT:N`."""

from fuzz.command import main

if __name__ == "__main__":
    main()
