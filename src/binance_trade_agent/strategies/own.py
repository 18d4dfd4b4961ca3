"""Strategies that are not built in: files in `config/strategies/`, and entry points of installed packages.

A file is anybody's code. It is run only when somebody asks for a strategy that is not built in or for the list of them,
anew each time, so that a change takes effect without a restart. What is wrong with one is kept as a sentence beside its
name; the others do not notice.
"""

import contextlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, TypeGuard

from pydantic import BaseModel, ValidationError

from binance_trade_agent.domain.values import replace
from binance_trade_agent.strategies.base import Strategy
from binance_trade_agent.strategies.params import StrategyParams, bounds, kind_of

OWN_FOLDER = Path("config/strategies")
ENTRY_POINT_GROUP = "binance_trade_agent.strategies"
NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class OwnStrategy:
    """A strategy of the user's own, or what is to be one.

    Attributes:
        name: its name in the registry; of one whose name is not known, the name of its file or entry point.
        place: where it is, for a person: the file, or the entry point with what it refers to.
        strategy: the class; None when it is broken.
        broken: why it cannot be used, one sentence with the place; None when it can.
    """

    name: str
    place: str
    strategy: type[Strategy[Any]] | None = None
    broken: str | None = None


class _BrokenError(Exception):
    """Why something is no strategy; one sentence without the place."""


def own_strategies(folder: Path, built_in: Mapping[str, str]) -> list[OwnStrategy]:
    """Every file of `folder` (in alphabetical order), then every entry point; broken ones too.

    Args:
        folder: need not exist. Files whose names begin with an underscore are helpers, which strategies may import.
        built_in: by name that is taken, where it is.
    """
    found = [*_from_files(folder), *_from_entry_points()]
    return [_with_name_of_its_own(own, found, built_in) for own in found]


def place_of(failure: BaseException, inside: Path | None = None) -> str:
    """The file and line at which a failure arose, the innermost inside the folder `inside` where there is one."""
    if isinstance(failure, SyntaxError) and failure.filename:
        return f"{failure.filename}:{failure.lineno}"
    frames: list[traceback.FrameSummary] = traceback.extract_tb(failure.__traceback__)
    if inside is not None:
        frames = [each for each in frames if Path(each.filename).absolute().is_relative_to(inside.absolute())]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def told(failure: BaseException) -> str:
    """A failure in one line: its type, and the first line of what it says."""
    said = failure.msg if isinstance(failure, SyntaxError) else str(failure).strip()
    first = said.splitlines()[0] if said else ""
    return f"{type(failure).__name__}: {first}" if first else type(failure).__name__


def _from_files(folder: Path) -> Iterator[OwnStrategy]:
    paths = [path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_")]
    if not paths:
        return
    with _helpers_of(folder):
        for path in paths:
            yield _checked(path.stem, str(path), partial(_class_in_file, path), folder)


def _from_entry_points() -> Iterator[OwnStrategy]:
    for entry in metadata.entry_points(group=ENTRY_POINT_GROUP):
        place = f"entry point {entry.name} = {entry.value}"
        yield _checked(entry.name, place, partial(_class_of_entry_point, entry), None)


def _checked(name: str, place: str, load: Callable[[], type[Strategy[Any]]], folder: Path | None) -> OwnStrategy:
    """What `load` gives, when it is a strategy that can be used; whatever it does wrong, an exit too, stays here."""
    try:
        # What a file prints while it is imported must not get into a JSON document.
        with contextlib.redirect_stdout(sys.stderr):
            strategy = load()
            _refuse_incomplete(strategy)
    except _BrokenError as failure:
        return OwnStrategy(name, place, broken=f"{place}: {failure}")
    except KeyboardInterrupt:
        raise
    except BaseException as failure:  # noqa: BLE001
        # An entry point that leads nowhere fails in a library: the line there says nothing, the entry point does.
        at = (place_of(failure, folder) or place) if folder else place
        return OwnStrategy(name, place, broken=f"{at}: {told(failure)}")
    return OwnStrategy(strategy.name, place, strategy)


@contextlib.contextmanager
def _helpers_of(folder: Path) -> Iterator[None]:
    """Let the files of `folder` import each other's helpers, as they are now; nothing is written beside them."""
    for name, module in list(sys.modules.items()):
        if name.startswith("_") and Path(getattr(module, "__file__", None) or "/").parent == folder.absolute():
            del sys.modules[name]
    wrote_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.append(str(folder.absolute()))  # last, so that no file there takes the place of a library
    try:
        yield
    finally:
        sys.path.remove(str(folder.absolute()))
        sys.dont_write_bytecode = wrote_bytecode


def _module(path: Path) -> ModuleType:
    """The file's module, run anew. Compiled from its text: a byte code file knows changes by the second only."""
    module = ModuleType(f"own_strategies.{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # pydantic and dataclasses look names up there
    exec(compile(path.read_bytes(), path, "exec"), module.__dict__)  # noqa: S102 (the user's own code, as he asked)
    return module


def _class_in_file(path: Path) -> type[Strategy[Any]]:
    """The one strategy that a file defines."""
    module = _module(path)
    defined = [each for each in vars(module).values() if _is_strategy(each) and each.__module__ == module.__name__]
    usable = [each for each in dict.fromkeys(defined) if not inspect.isabstract(each)] or defined
    if not usable:
        raise _BrokenError("it holds no class of Strategy (from binance_trade_agent.strategies.base)")
    if len(usable) > 1:
        names = " and ".join(each.__name__ for each in usable)
        raise _BrokenError(f"it holds {len(usable)} strategies, {names}: a file is for one, so move the others")
    return usable[0]


def _class_of_entry_point(entry: metadata.EntryPoint) -> type[Strategy[Any]]:
    loaded = entry.load()
    if not _is_strategy(loaded):
        raise _BrokenError(f"{loaded!r} is no class of Strategy (from binance_trade_agent.strategies.base)")
    return loaded


def _is_strategy(value: object) -> TypeGuard[type[Strategy[Any]]]:
    return isinstance(value, type) and issubclass(value, Strategy) and value is not Strategy


def _refuse_incomplete(strategy: type[Strategy[Any]]) -> None:
    """Raise _BrokenError for a class that the registry could not name, describe or make."""
    label = f"class {strategy.__name__}"
    if inspect.isabstract(strategy):
        raise _BrokenError(f"{label} lacks {' and '.join(sorted(strategy.__abstractmethods__))}")
    name, summary = getattr(strategy, "name", None), getattr(strategy, "summary", None)
    if not (isinstance(name, str) and NAME_PATTERN.fullmatch(name)):
        raise _BrokenError(f"{label} needs a name of lower-case letters, digits and _, such as name = 'my_idea'")
    if not (isinstance(summary, str) and summary.strip()):
        raise _BrokenError(f"{label} needs a summary: one line for `trade-agent strategies`")
    params = getattr(strategy, "Params", None)
    if not (isinstance(params, type) and issubclass(params, StrategyParams)):
        raise _BrokenError(f"{label} needs Params, a class of StrategyParams (from ...strategies.params)")
    for parameter in params.model_fields:
        _refuse_unbounded(params, parameter)
    _refuse_wrong_defaults(params)


def _refuse_unbounded(params: type[StrategyParams], parameter: str) -> None:
    field = params.model_fields[parameter]
    if kind_of(params, parameter) is None:
        said = getattr(field.annotation, "__name__", str(field.annotation))
        raise _BrokenError(f"parameter {parameter} is {said}: it must be int, float or bool")
    if field.is_required():
        raise _BrokenError(f"parameter {parameter} needs a default")
    if kind_of(params, parameter) is bool:
        return
    minimum, maximum = bounds(params, parameter)
    if minimum is None or maximum is None:
        missing = " and ".join(word for word, bound in (("ge=", minimum), ("le=", maximum)) if bound is None)
        raise _BrokenError(f"parameter {parameter} has no bounds: give it {missing}, the least and the most allowed")
    if minimum > maximum:
        raise _BrokenError(f"parameter {parameter} is bounded by ge={minimum:g} and le={maximum:g}: nothing is allowed")


def _refuse_wrong_defaults(params: type[BaseModel]) -> None:
    defaults = {name: field.get_default(call_default_factory=True) for name, field in params.model_fields.items()}
    try:
        params.model_validate(defaults)
    except ValidationError as failure:
        error = failure.errors()[0]
        parameter = f"parameter {error['loc'][0]}" if error["loc"] else "parameters"
        raise _BrokenError(f"{parameter}: the default is refused: {error['msg']}") from None


def _with_name_of_its_own(own: OwnStrategy, every: Collection[OwnStrategy], built_in: Mapping[str, str]) -> OwnStrategy:
    if own.strategy is None:
        return own
    if own.name in built_in:
        reason = f"{own.place}: the name {own.name} is taken by {built_in[own.name]}; give it another"
        return replace(own, strategy=None, broken=reason)
    others = [other.place for other in every if other.strategy and other.name == own.name and other is not own]
    if others:
        reason = f"{own.place} and {' and '.join(others)} both hold a strategy named {own.name}: rename one"
        return replace(own, strategy=None, broken=reason)
    return own
