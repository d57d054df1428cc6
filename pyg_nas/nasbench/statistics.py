"""Results in read-only containers with the interface of the official package's dictionaries."""

from __future__ import annotations

from typing import Any, NoReturn

from pyg_nas.nasbench.lib.model_spec import OutOfDomainError


class NotMeasuredError(OutOfDomainError, KeyError):
    """A cell of the search space, or one of its numbers, is not in the table."""

    __str__ = Exception.__str__  # that of KeyError shows the message in quotes


class Metrics(dict[str, Any]):
    """A dictionary of results in which a missing number raises :class:`NotMeasuredError`."""

    def __missing__(self, key: str) -> Any:
        raise NotMeasuredError(f"{key!r} is not measured here; measured: {', '.join(self)}")


def _refuse(*_: object, **__: object) -> NoReturn:
    raise TypeError(
        "a NASBench object's statistics are read from its table and cannot be changed; change "
        "copies, which get_metrics_from_hash and copy.deepcopy return"
    )


class ReadOnlyList(list[Any]):
    """A read-only list, whose copies are plain lists."""

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)


class ReadOnlyDict(dict[Any, Any]):
    """A read-only dictionary, whose copies are plain dictionaries."""

    clear = pop = popitem = setdefault = update = __setitem__ = __delitem__ = __ior__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


class ReadOnlyMetrics(Metrics, ReadOnlyDict):
    """Read-only :class:`Metrics`, whose copies are not read-only."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Metrics, (dict(self),)
