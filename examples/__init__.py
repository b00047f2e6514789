"""Short programs to start an analysis from; run from the checkout, never installed."""
