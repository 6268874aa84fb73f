"""Options of a part: the keyword arguments of its constructor, with ranges.

A function makes each part, and the options of the part are the keyword
arguments of this function.  The default, the type and the range of an option
stand together, once:

    def make(network, prior, spec, latents, *,
             beta: options.Share = .5,
             cost: Literal['squared', 'l1'] = 'squared'):

Configs, the flags of the command line, and the check before a run compiles read
the options from the signature.
"""
import ast
from collections.abc import Callable, Iterable, Mapping
import functools
import inspect
import math
import re
import types
import typing
from typing import Annotated, Any, Literal, NamedTuple

from swae_jax import errors


class Range(NamedTuple):
  """An interval of numbers.

  Attributes:
    low: the least allowed number.
    high: the greatest allowed number.
    open_low: whether the range excludes `low` itself.
    open_high: whether the range excludes `high` itself.
    multiple: the range holds multiples of this number only.
  """
  low: float = -math.inf
  high: float = math.inf
  open_low: bool = False
  open_high: bool = False
  multiple: int = 1

  def holds(self, value: float) -> bool:
    """Whether a number lies in the range; NaN never does."""
    return (self.low < value if self.open_low else self.low <= value) and (
        value < self.high if self.open_high else value <= self.high) and (
            self.multiple == 1 or value % self.multiple == 0)

  def __str__(self) -> str:
    kind = '' if self.multiple == 1 else (
        f' and be a multiple of {self.multiple}')
    if self.high == math.inf and self.low == -math.inf:
      return f'must be finite{kind}'
    if self.high == math.inf:
      least = 'above' if self.open_low else 'at least'
      return f'must be {least} {self.low}{kind}'
    left, right = '(' if self.open_low else '[', ')' if self.open_high else ']'
    return f'must lie in {left}{self.low}, {self.high}{right}{kind}'


# Greater whole numbers overflow JAX's int32, greater numbers its float32.
LARGEST_INT = 2**31 - 1
LARGEST_FLOAT = 3.4028234e38

Real = Annotated[float, Range()]
Positive = Annotated[float, Range(0, open_low=True)]
NonNegative = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
Order = Annotated[float, Range(1)]  # The exponent p of a distance.
Count = Annotated[int, Range(1)]
CountOrZero = Annotated[int, Range(0)]
Depth = Annotated[int, Range(1, 1000)]  # JAX traces layer after layer.
Side = Annotated[int, Range(1, 100)]  # Rows or columns of a picture.
Seed = Annotated[int, Range(0, 2**64 - 1)]


class Option(NamedTuple):
  """One option of a part: its default, its type and the range of its values."""
  default: Any
  kind: Any  # float, int, bool, str, Literal[...] or tuple[kind, ...]
  range: Range | None = None


def of(make: Callable[..., Any]) -> dict[str, Option]:
  """The options of a part: {name: Option} of its keyword-only arguments.

  Raises:
    TypeError: an option has no default or no annotation.  Only the author of a
      part sees this error.
  """
  return dict(_of(make))


@functools.lru_cache(maxsize=1024)  # A table asks a hundred times for each.
def _of(make):
  hints = typing.get_type_hints(make, include_extras=True)
  found = {}
  for name, p in inspect.signature(make).parameters.items():
    if p.kind is not p.KEYWORD_ONLY:
      continue
    if p.default is p.empty or name not in hints:
      raise TypeError(f'{make.__module__}.{make.__qualname__}: the option '
                      f'{name!r} needs a type and a default')
    found[name] = _option(hints[name], p.default)
  return found


def of_fields(fields: type) -> dict[str, Option]:
  """The options of a NamedTuple: {name: Option} of its fields with defaults."""
  hints = typing.get_type_hints(fields, include_extras=True)
  return {name: _option(hints[name], default)
          for name, default in fields._field_defaults.items()}


def needs(make: Callable[..., Any]) -> tuple[str, ...]:
  """Names of the positional arguments of a part, in order."""
  return tuple(name for name, p in inspect.signature(make).parameters.items()
               if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))


def check(where: str, known: Mapping[str, Option],
          values: Mapping[str, Any]) -> dict[str, Any]:
  """Checks values of options, and adds the defaults of the other options.

  Args:
    where: the section of the config, such as 'config.network.mlp'.
    known: {name: Option} of all options of the section.
    values: {name: value} of some options.

  Returns:
    {name: value} of all options.

  Raises:
    errors.UserError: an option does not exist, or its value has another type or
      lies out of range.
  """
  for name in values:
    if name not in known:
      raise errors.UserError(
          f'--{where}.{name}: there is no such option{near(name, known)}')
  return {name: checked(f'{where}.{name}', option, values.get(
      name, option.default)) for name, option in known.items()}


def checked(where: str, option: Option, value: Any) -> Any:
  """Returns `value` in the type of the option.

  Raises:
    errors.UserError: the option does not allow the value; the message names the
      flag `where`.
  """
  kind, limits = option.kind, option.range
  if typing.get_origin(kind) is tuple:
    inner = typing.get_args(kind)[0]
    one = _option(inner, None)
    if not isinstance(value, (tuple, list)):
      raise _refused(where, value, 'must be a list in brackets, such as '
                     f'{option.default}')
    return tuple(checked(where, one, item) for item in value)
  if typing.get_origin(kind) is Literal:
    for name in typing.get_args(kind):
      if name == value and not isinstance(value, bool):
        return name
    names = ', '.join(map(str, typing.get_args(kind)))
    raise _refused(where, value, f'must be one of {names}')
  fits = {float: lambda v: _is_number(v) and (
              -LARGEST_FLOAT <= v <= LARGEST_FLOAT),
          int: lambda v: _is_number(v) and (
              isinstance(v, int) or v.is_integer()),
          bool: lambda v: isinstance(v, bool),
          str: lambda v: isinstance(v, str) and not re.search(
              '[\ud800-\udfff\0]', v)}[kind]
  names = {float: 'a finite number', int: 'a whole number',
           bool: 'true or false', str: 'a text in UTF-8'}
  if not fits(value):
    raise _refused(where, value, f'must be {names[kind]}')
  value = kind(value)
  if limits is not None and not limits.holds(value):
    raise _refused(where, value, str(limits))
  if kind is int and (limits is None or limits.high == math.inf) and (
      value > LARGEST_INT):
    raise _refused(where, value, f'must be at most {LARGEST_INT}')
  return value


def near(name: str, known: Iterable[str]) -> str:
  """A hint for a message: the most similar known name, or else all of them."""
  import difflib  # Only a message of an error needs this module.
  close = difflib.get_close_matches(name, list(known), 1)
  if close:
    return f'; did you mean {close[0]!r}?'
  names = ', '.join(sorted(known))
  return f'; there are {names}' if names else '; there are none'


def _is_number(value: Any) -> bool:
  return isinstance(value, (int, float)) and not isinstance(value, bool)


def _option(hint: Any, default: Any) -> Option:
  """The option of a type hint: a plain type, or Annotated with a Range."""
  if typing.get_origin(hint) is Annotated:
    kind, *notes = typing.get_args(hint)
    limits = next((n for n in notes if isinstance(n, Range)), None)
    return Option(default, kind, limits)
  if isinstance(hint, types.UnionType) or hint in (list, dict, tuple):
    raise TypeError(f'{hint}: an option is a number, a text, a choice by '
                    'Literal, or tuple[one of these, ...]')
  return Option(default, hint)


def _refused(where: str, value: Any, why: str) -> errors.UserError:
  text = str(value)
  text = text if len(text) <= 80 else f'{text[:60]}...'
  return errors.UserError(f'--{where}={text}: it {why}')


def parsed(where: str, option: Option, text: str) -> Any:
  """Reads the value of an option from a text on the command line.

  Args:
    where: the name of the option, as the user wrote it.
    option: type and range of the option.
    text: a text such as '3', 'true', 'ring' or '(30, 50)'.

  Returns:
    The value in the type of the option.

  Raises:
    errors.UserError: the option does not allow this value.
  """
  value: Any = {'true': True, 'false': False}.get(text.lower(), text)
  if option.kind is str:
    value = text
  elif isinstance(value, str):
    try:
      value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
      pass  # The text is a name, such as 'ring', or a mistake.
  return checked(where, option, value)
