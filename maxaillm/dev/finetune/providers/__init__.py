"""Where a run is carried out, one module each."""
