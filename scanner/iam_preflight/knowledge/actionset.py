"""Sets of actions, held as one integer a service: bit *i* is the service's *i*-th action.

A negative integer is "every action of the service but these", the future ones included, so that
`*`, `s3:*` and `NotAction` are exact and cost nothing; a service's names are only read when
somebody looks inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

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

    def _own(self) -> dict[str, int]:
        """The masks of the services that have one of their own."""
        return self._masks

    def masks(self) -> Iterable[tuple[str, int]]:
        """The services that have a mask of their own, with it."""
        return self._own().items()

    def _named(self) -> Iterable[str]:
        """The services that may have an action in it."""
        return self._catalog.services if self._rest else self._masks

    @property
    def _size(self) -> int:
        """How many services have to be looked at for all of it."""
        return len(self._masks)

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
        deferred: ActionSet | None = None
        for each in sets:
            if each.is_boundless:
                boundless = each if boundless is None else boundless | each
            elif isinstance(each, DeferredSet):
                deferred = each if deferred is None else deferred | each
            else:
                for service, mask in each.masks():
                    masks[service] = masks.get(service, 0) | mask
        found = cls(catalog, masks)
        if deferred is not None:
            found = deferred | found
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
            for service in self._own().keys() | other._own().keys()
        }
        return ActionSet(self._catalog, masks, self._rest | other._rest)

    def __and__(self, other: ActionSet) -> ActionSet:
        if other.is_everything or self.is_nothing:
            return self
        if self.is_everything or other.is_nothing:
            return other
        if not self._rest:
            masks = {service: mask & other.mask(service) for service, mask in self.masks()}
            return ActionSet(self._catalog, masks)
        if not other._rest:
            return other & self
        masks = {
            service: self.mask(service) & other.mask(service)
            for service in self._own().keys() | other._own().keys()
        }
        return ActionSet(self._catalog, masks, self._rest & other._rest)

    def __invert__(self) -> ActionSet:
        masks = {service: ~mask for service, mask in self.masks()}
        return ActionSet(self._catalog, masks, ~self._rest)

    def __sub__(self, other: ActionSet) -> ActionSet:
        if other.is_nothing:
            return self
        if self._rest:
            return self & ~other
        masks = {service: mask & ~other.mask(service) for service, mask in self.masks()}
        return ActionSet(self._catalog, masks)

    def covers(self, other: ActionSet) -> bool:
        """Whether every known action of the other set is in this one."""
        return not other - self

    def meets(self, other: ActionSet) -> bool:
        """Whether the two have a known action in common."""
        if self._rest or other._rest:
            return bool(self & other)
        if other._size < self._size:
            return other.meets(self)
        return any(mask & other._known(service) for service, mask in self.masks())

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
            self._services = tuple(sorted(name for name in self._named() if self._known(name)))
        return self._services

    def of_service(self, service: str) -> ActionSet:
        return ActionSet(self._catalog, {service: self.mask(service)})

    def has_all_of(self, service: str) -> bool:
        """Whether every known action of the service is in the set."""
        mask = self.mask(service)
        return mask == -1 or not self._catalog.service(service).full & ~mask

    def at_level(self, *levels: AccessLevel) -> ActionSet:
        def mask(name: str) -> int:
            service = self._catalog.service(name)
            wanted = 0
            for level in levels:
                wanted |= service.at_level(level)
            return self.mask(name) & wanted

        if self._rest:
            return DeferredSet(self._catalog, mask)
        return ActionSet(self._catalog, {name: mask(name) for name in self._named()})

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
            for index in bits_of(self._known(name)):
                yield f"{name}:{service.names[index]}"

    def __len__(self) -> int:
        return sum(self._known(service).bit_count() for service in self.services)

    def __bool__(self) -> bool:
        return any(self._known(name) for name in self._named())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ActionSet):
            return NotImplemented
        return self.covers(other) and other.covers(self)

    __hash__ = None  # type: ignore[assignment]  # equal sets may be written in many ways

    def __repr__(self) -> str:
        shown = [name if self.mask(name) != -1 else f"{name}:*" for name in sorted(self._own())]
        return f"ActionSet({'* but ' if self._rest else ''}{', '.join(shown) or 'nothing'})"


class DeferredSet(ActionSet):
    """Actions of many services, whose masks are worked out as services are asked for.

    What AWS calls *Write* is spread over hundreds of services, each a file of its own; what is
    asked is nearly always which actions of some policy are among them.
    """

    __slots__ = ("_among", "_is_complete", "_mask_of")

    def __init__(
        self,
        catalog: Catalog,
        mask_of: Callable[[str], int],
        among: frozenset[str] | None = None,
    ) -> None:
        super().__init__(catalog, {})
        self._mask_of = mask_of
        """The mask of a service; 0 where there is no such service."""
        self._among = among
        """The services that may have an action in it; None: all that there are."""
        self._is_complete = False

    def mask(self, service: str) -> int:
        mask = self._masks.get(service)
        if mask is None:
            mask = self._masks[service] = self._mask_of(service)
        return mask

    def _own(self) -> dict[str, int]:
        if not self._is_complete:
            for service in self._named():
                self.mask(service)
            self._is_complete = True
        return self._masks

    def _named(self) -> Collection[str]:
        return self._catalog.services if self._among is None else self._among

    @property
    def _size(self) -> int:
        return len(self._named())

    @property
    def is_nothing(self) -> bool:
        return False  # so that nobody has to look at everything

    def __or__(self, other: ActionSet) -> ActionSet:
        if other.is_boundless:
            return super().__or__(other)
        among = None
        if self._among is not None and not (isinstance(other, DeferredSet) and not other._among):
            among = self._among.union(other._named())
        return DeferredSet(
            self._catalog, lambda service: self.mask(service) | other.mask(service), among
        )

    def __and__(self, other: ActionSet) -> ActionSet:
        if other.is_boundless or isinstance(other, DeferredSet):
            return DeferredSet(
                self._catalog,
                lambda service: self.mask(service) & other.mask(service),
                self._among,
            )
        return other & self

    def __sub__(self, other: ActionSet) -> ActionSet:
        return DeferredSet(
            self._catalog,
            lambda service: self.mask(service) & ~other.mask(service),
            self._among,
        )
