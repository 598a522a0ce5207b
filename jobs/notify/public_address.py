"""Server-side request forgery is kept out: a request leaves for public addresses only.

The address is looked at where the connection is made, so that a name which resolves to another
one the second time (DNS rebinding) gains nothing. httpcore follows no redirects.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

import httpcore
from django.conf import settings

from maxaillm.dev.finetune.errors import FineTuneError


class PrivateAddressError(FineTuneError):
    """A host is this machine or lies in a private network."""

    code = "private_address"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} is no address of the public internet.",
            "Whoever runs the site may allow such addresses: MAXFT_PRIVATE_WEBHOOKS=1.",
        )


class PublicBackend(httpcore.AnyIOBackend):
    """Connects to public addresses only. Raises PrivateAddressError."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        address = await public_address(host, port)
        return await super().connect_tcp(address, port, timeout, local_address, socket_options)


async def public_address(host: str, port: int) -> str:
    """The first address of a host. Raises PrivateAddressError where any of them is private, and
    OSError where the name is not known."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(info[4][0]) for info in found]
    if not settings.PRIVATE_WEBHOOKS and not all(map(is_public, addresses)):
        raise PrivateAddressError(host)
    return addresses[0]


NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address."""


def behind_nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else None


def is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found.sixtofour or behind_nat64(found) or found
    return found.is_global and not found.is_multicast
