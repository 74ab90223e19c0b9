"""Where rows live: the protocol and its two engines."""
