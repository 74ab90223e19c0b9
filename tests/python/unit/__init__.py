"""Tests of single modules or folders; the folders mirror those of the package."""
