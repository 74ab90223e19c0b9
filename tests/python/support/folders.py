"""Where the project under test is."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
