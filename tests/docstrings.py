"""Check the form of every public docstring (numpydoc); the rules are in pyproject.toml."""

import sys
from pathlib import Path

from numpydoc.hooks.validate_docstrings import run_hook

if __name__ == "__main__":
    root = Path(__file__).parent.parent
    sys.exit(run_hook([str(path) for path in sorted((root / "realtime_nb").rglob("*.py"))]))
