"""The embedded engine: voice activity, recognition, brain, voices, on the CPU and offline."""
