"""What people enter: accounts, ROIs, readings, and the log of who saw and changed what."""
