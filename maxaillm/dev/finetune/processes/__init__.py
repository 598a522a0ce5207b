"""Child processes: limits, JSON lines, cause of death; fork server, parent death, pipeline,
descendants, plain files."""
