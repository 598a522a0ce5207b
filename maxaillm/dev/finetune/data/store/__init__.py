"""Examples on disk, in Parquet: written in batches, queried by page."""
