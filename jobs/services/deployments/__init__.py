"""Deployments: made, changed and stopped; who answers; limits; what was asked of them."""
