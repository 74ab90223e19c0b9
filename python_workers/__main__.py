"""``python -m python_workers`` is the ``backcourt`` command."""

from __future__ import annotations

from python_workers.cli import main

if __name__ == "__main__":
    main()
