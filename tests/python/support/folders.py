"""The folder of the project under test."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
