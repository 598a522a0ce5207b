"""Files of datasets on disk, named by their content."""
