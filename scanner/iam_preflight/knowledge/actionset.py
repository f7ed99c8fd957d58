"""Sets of actions, held as one integer a service: bit *i* is the service's *i*-th action.

A negative integer is "every action of the service but these", the future ones included, so that
`*`, `s3:*` and `NotAction` are exact and cost nothing; a service's names are only read when
somebody looks inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.knowledge.catalog import AccessLevel, Catalog


def bits_of(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set, lowest first; the mask must not be negative."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


class ActionSet:
    """Immutable; `|`, `&`, `-`, `~` give new sets, iteration gives names as AWS spells them.

    Complements are relative to everything, known or not. Length, truth, equality and iteration
    look at the known actions only.
    """

    __slots__ = ("_catalog", "_masks", "_rest", "_services")

    def __init__(self, catalog: Catalog, masks: dict[str, int], rest: int = 0) -> None:
        self._catalog = catalog
        if rest in masks.values():
            masks = {service: mask for service, mask in masks.items() if mask != rest}
        self._masks = masks
        self._rest = rest
        """The mask of every service that has none of its own: 0 or -1."""
        self._services: tuple[str, ...] | None = None

    def mask(self, service: str) -> int:
        return self._masks.get(service, self._rest)

    def masks(self) -> Iterable[tuple[str, int]]:
        """The services that have a mask of their own, with it."""
        return self._masks.items()

    @property
    def is_boundless(self) -> bool:
        """Whether it takes in services that it does not name."""
        return self._rest != 0

    # ---- algebra

    @classmethod
    def union(cls, catalog: Catalog, sets: Iterable[ActionSet]) -> ActionSet:
        """All of the sets in one go: AWS's own policies name hundreds of patterns."""
        masks: dict[str, int] = {}
        boundless: ActionSet | None = None
        for each in sets:
            if each.is_boundless:
                boundless = each if boundless is None else boundless | each
            else:
                for service, mask in each.masks():
                    masks[service] = masks.get(service, 0) | mask
        found = cls(catalog, masks)
        return found if boundless is None else boundless | found

    def __or__(self, other: ActionSet) -> ActionSet:
        if other.is_nothing or self.is_everything:
            return self
        if self.is_nothing or other.is_everything:
            return other
        if not (self._rest or other._rest):
            return ActionSet.union(self._catalog, (self, other))
        masks = {
            service: self.mask(service) | other.mask(service)
            for service in self._masks.keys() | other._masks.keys()
        }
        return ActionSet(self._catalog, masks, self._rest | other._rest)

    def __and__(self, other: ActionSet) -> ActionSet:
        if other.is_everything or self.is_nothing:
            return self
        if self.is_everything or other.is_nothing:
            return other
        if not self._rest:
            masks = {service: mask & other.mask(service) for service, mask in self._masks.items()}
        elif not other._rest:
            masks = {service: mask & self.mask(service) for service, mask in other._masks.items()}
        else:
            masks = {
                service: self.mask(service) & other.mask(service)
                for service in self._masks.keys() | other._masks.keys()
            }
        return ActionSet(self._catalog, masks, self._rest & other._rest)

    def __invert__(self) -> ActionSet:
        masks = {service: ~mask for service, mask in self._masks.items()}
        return ActionSet(self._catalog, masks, ~self._rest)

    def __sub__(self, other: ActionSet) -> ActionSet:
        if other.is_nothing:
            return self
        if self._rest:
            return self & ~other
        masks = {service: mask & ~other.mask(service) for service, mask in self._masks.items()}
        return ActionSet(self._catalog, masks)

    def covers(self, other: ActionSet) -> bool:
        """Whether every known action of the other set is in this one."""
        return not other - self

    def meets(self, other: ActionSet) -> bool:
        """Whether the two have a known action in common."""
        if self._rest or other._rest:
            return bool(self & other)
        if len(other._masks) < len(self._masks):
            return other.meets(self)
        return any(mask & other._known(service) for service, mask in self._masks.items())

    # ---- looking inside

    @property
    def is_everything(self) -> bool:
        """Whether nothing at all is left out, not even what AWS may add: `*`."""
        return self._rest == -1 and not self._masks

    @property
    def is_nothing(self) -> bool:
        """Whether nothing at all is in it, not even what AWS may add."""
        return not self._masks and not self._rest

    @property
    def services(self) -> tuple[str, ...]:
        """The services of which at least one known action is in the set, sorted."""
        if self._services is None:
            names = self._catalog.services if self._rest else self._masks
            self._services = tuple(sorted(name for name in names if self._known(name)))
        return self._services

    def of_service(self, service: str) -> ActionSet:
        return ActionSet(self._catalog, {service: self.mask(service)})

    def has_all_of(self, service: str) -> bool:
        """Whether every known action of the service is in the set."""
        mask = self.mask(service)
        return mask == -1 or not self._catalog.service(service).full & ~mask

    def at_level(self, *levels: AccessLevel) -> ActionSet:
        names = self._catalog.services if self._rest else self._masks
        masks: dict[str, int] = {}
        for name in names:
            service = self._catalog.service(name)
            wanted = 0
            for level in levels:
                wanted |= service.at_level(level)
            masks[name] = self.mask(name) & wanted
        return ActionSet(self._catalog, masks)

    def _known(self, service: str) -> int:
        mask = self.mask(service)
        return mask and mask & self._catalog.service(service).full

    def __contains__(self, action: object) -> bool:
        if not isinstance(action, str):
            return False
        prefix, _, name = action.lower().partition(":")
        mask = self.mask(prefix)
        if mask in (0, -1):
            return mask == -1
        index = self._catalog.service(prefix).index.get(name)
        return mask < 0 if index is None else bool(mask >> index & 1)

    def __iter__(self) -> Iterator[str]:
        for name in self.services:
            service = self._catalog.service(name)
            mask = self._known(name)
            for index, action in enumerate(service.names):
                if mask >> index & 1:
                    yield f"{name}:{action}"

    def __len__(self) -> int:
        return sum(self._known(service).bit_count() for service in self.services)

    def __bool__(self) -> bool:
        names = self._catalog.services if self._rest else self._masks
        return any(self._known(name) for name in names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ActionSet):
            return NotImplemented
        return self.covers(other) and other.covers(self)

    __hash__ = None  # type: ignore[assignment]  # equal sets may be written in many ways

    def __repr__(self) -> str:
        shown = [name if self.mask(name) != -1 else f"{name}:*" for name in sorted(self._masks)]
        return f"ActionSet({'* but ' if self._rest else ''}{', '.join(shown) or 'nothing'})"
