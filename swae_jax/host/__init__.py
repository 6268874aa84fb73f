"""The surroundings of a run: devices, signals, watchdog, console."""
