"""Helpers of the tests: factories, made-up leagues, the engine in process, a terminal. No tests."""
