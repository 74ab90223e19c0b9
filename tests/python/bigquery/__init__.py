"""BigQuery: an emulator, Google's own SQL analyser and engine, and a proxy that fails."""
