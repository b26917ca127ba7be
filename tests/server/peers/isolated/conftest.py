"""Nothing here is a test of ours or can be imported here: these are the programs of other environments."""

collect_ignore_glob = ["*.py"]
