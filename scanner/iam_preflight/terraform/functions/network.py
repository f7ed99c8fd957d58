"""Address arithmetic.

https://developer.hashicorp.com/terraform/language/functions (IP network functions)
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from iam_preflight.terraform.functions.arguments import (
    Function,
    Invocation,
    TooLarge,
    WrongArguments,
)

if TYPE_CHECKING:
    from iam_preflight.values import Value

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(call: Invocation, value: Value) -> Network:
    text = call.text(value)
    address, slash, length = text.partition("/")
    if not slash or not length.isdigit():
        raise WrongArguments
    # Go kept reading leading zeros as decimal for Terraform's sake
    if ":" not in address:
        address = ".".join(part.lstrip("0") or "0" for part in address.split("."))
    try:
        return ipaddress.ip_network(f"{address}/{length}", strict=False)
    except ValueError:
        raise WrongArguments from None


def _subnet(network: Network, bits: int, number: int) -> Network:
    length = network.prefixlen + bits
    if bits < 0 or length > network.max_prefixlen or number >= 1 << bits or number < 0:
        raise WrongArguments
    start = int(network.network_address) + (number << (network.max_prefixlen - length))
    made = ipaddress.ip_network((start, length)) if network.version == 4 else None
    return made if made is not None else ipaddress.IPv6Network((start, length))


def _show(network: Network) -> str:
    return f"{network.network_address}/{network.prefixlen}"


def _cidrsubnet(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    network = _network(call, arguments[0])
    subnet = _subnet(network, call.integer(arguments[1]), call.integer(arguments[2]))
    return call.known(_show(subnet))


def _cidrsubnets(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    network = _network(call, arguments[0])
    at = int(network.network_address)
    end = at + network.num_addresses
    made: list[Value] = []
    for argument in arguments[1:]:
        bits = call.integer(argument)
        length = network.prefixlen + bits
        if bits < 1 or length > network.max_prefixlen:
            raise WrongArguments
        size = 1 << (network.max_prefixlen - length)
        at = -(-at // size) * size
        if at + size > end:
            raise WrongArguments
        address = ipaddress.IPv4Address(at) if network.version == 4 else ipaddress.IPv6Address(at)
        made.append(call.known(f"{address}/{length}"))
        at += size
        if len(made) > 1024:
            raise TooLarge
    return call.typed_list(made)


def _cidrhost(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    network = _network(call, arguments[0])
    number = call.integer(arguments[1])
    if number < 0:
        number += network.num_addresses
    if not 0 <= number < network.num_addresses:
        raise WrongArguments
    return call.known(str(network.network_address + number))


def _cidrnetmask(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    network = _network(call, arguments[0])
    if network.version != 4:
        raise WrongArguments
    return call.known(str(network.netmask))


FUNCTIONS: dict[str, Function] = {
    "cidrhost": _cidrhost,
    "cidrnetmask": _cidrnetmask,
    "cidrsubnet": _cidrsubnet,
    "cidrsubnets": _cidrsubnets,
}
