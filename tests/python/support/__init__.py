"""What tests stand on: factories, made-up leagues, the engine in process, a terminal; no tests."""
