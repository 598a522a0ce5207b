"""The command line: console output, and the subcommands."""
