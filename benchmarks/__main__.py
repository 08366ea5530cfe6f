"""Run all benchmarks, or those named: `python -m benchmarks [NAME ...] [--quick]`."""

from benchmarks.running import main

if __name__ == "__main__":
    main()
