"""The processes of a site: Redis and the supervisor of `up`."""
