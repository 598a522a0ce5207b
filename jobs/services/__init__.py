"""All writes to runs and models. Views, API, tasks and commands only call these."""
