"""The protocol core: it decides without I/O. Clock and names are arguments; stdlib and msgspec are all it needs."""
