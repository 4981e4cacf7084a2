"""Everything for one machine: the emulator, made-up articles and their producer, the demo. No worker needs it."""
