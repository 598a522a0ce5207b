"""The queue: accounts of device time, claims, order, forecast."""
