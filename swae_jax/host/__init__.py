"""What surrounds a run: devices, signals, watchdog, console."""
