"""The arguments of a handler: their schema, and how a request's map becomes keyword arguments."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional

from ._containers import union
from ._docstring import parameter_descriptions
from ._errors import InvalidArgs
from ._hints import HintCompiler, UnsupportedHint, hint_name, resolve, with_default
from ._scalars import SCALARS
from ._shape import MAX_FAULTS, Convert, Fault, Mismatch, Schema, Shape, unknown_key

__all__ = ["HandlerSpec", "inspect_handler"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_Parameter = inspect.Parameter


@dataclass(frozen=True)
class HandlerSpec:
    """What a handler takes.

    Parameters
    ----------
    schema
        JSON Schema, draft 2020-12, of the map of arguments.
    bind
        Takes the map of a request, which it leaves as it is, and returns the keyword arguments of the handler, checked
        and converted; raises `InvalidArgs` with everything that is wrong.
    context_parameter
        The name of the parameter that wants the request's context, if there is one; `bind` does not fill it.
    """

    schema: Schema
    bind: Callable[[Dict[str, Any]], Dict[str, Any]]
    context_parameter: Optional[str]


def inspect_handler(function: Callable[..., Any]) -> HandlerSpec:
    """Compile the signature of a handler, once, when it is declared.

    Parameters
    ----------
    function
        A function, a method, a class (its ``__init__``) or a callable object. A leading ``self`` is left out.

    Raises
    ------
    TypeError
        If no map of arguments could be bound to it, or a hint cannot be resolved or checked: names all three.
    """
    label = getattr(function, "__qualname__", type(function).__qualname__)
    code = _code(function)
    namespace = getattr(inspect.unwrap(code), "__globals__", {})
    parameters = _parameters(function, label)
    context = _context_parameter(parameters, label)
    parameters = [parameter for parameter in parameters if parameter.name != context]
    if _takes_whole_map(parameters):
        name = parameters[0].name
        return HandlerSpec({"$schema": _DIALECT, "type": "object"}, lambda args: {name: args}, context)

    compiler = HintCompiler()
    descriptions = parameter_descriptions(inspect.getdoc(code if not isinstance(function, type) else function))
    shapes: Dict[str, Shape] = {}
    required: List[str] = []
    rest: Optional[Shape] = None
    for parameter in parameters:
        shape = _shape(parameter, compiler, namespace, label)
        if parameter.kind is _Parameter.VAR_KEYWORD:
            rest = shape
            continue
        shapes[parameter.name] = _documented(shape, parameter, descriptions)
        if parameter.default is _Parameter.empty:
            required.append(parameter.name)
    converts = {name: shape.convert for name, shape in shapes.items()}
    expectations = {name: shapes[name].expected for name in required}
    bind = _binder(converts, expectations, rest.convert if rest is not None else None, context)
    return HandlerSpec(_schema(shapes, required, rest, compiler), bind, context)


def _code(function: Callable[..., Any]) -> Any:
    """Return what carries the hints and the globals of a callable."""
    while hasattr(function, "func") and hasattr(function, "keywords"):  # functools.partial
        function = function.func
    if isinstance(function, type):
        return function.__init__  # type: ignore[misc]  # its signature is all that is asked for
    return function if hasattr(function, "__code__") or inspect.isroutine(function) else type(function).__call__


def _parameters(function: Callable[..., Any], label: str) -> List[_Parameter]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise TypeError(f"{label}: its signature is not known: wrap it in a function of Python") from error
    if parameters and parameters[0].name == "self":
        parameters = parameters[1:]
    for parameter in parameters:
        if parameter.kind is _Parameter.VAR_POSITIONAL:
            raise TypeError(f"{label}: *{parameter.name}: arguments have names: take a list, {parameter.name}: list")
        if parameter.kind is _Parameter.POSITIONAL_ONLY:
            raise TypeError(f"{label}: {parameter.name}: arguments have names: leave out the / behind it")
    return parameters


def _context_parameter(parameters: List[_Parameter], label: str) -> Optional[str]:
    found = [parameter.name for parameter in parameters if parameter.name == "ctx" or _is_context(parameter.annotation)]
    if len(found) > 1:
        raise TypeError(f"{label}: both {found[0]} and {found[1]} want the context of the request")
    return found[0] if found else None


def _is_context(annotation: Any) -> bool:
    # As text it is often imported for the type checker only, and could not be resolved.
    if isinstance(annotation, str):
        return annotation.strip("'\"") in ("Context", "pons.Context")
    return getattr(annotation, "__name__", "") == "Context" and annotation.__module__.split(".")[0] == "pons"


def _takes_whole_map(parameters: List[_Parameter]) -> bool:
    if len(parameters) != 1 or parameters[0].name != "args" or parameters[0].kind is _Parameter.VAR_KEYWORD:
        return False
    annotation = parameters[0].annotation
    if annotation is _Parameter.empty:
        return True
    text = hint_name(annotation).replace(" ", "").replace("typing.", "")
    kind, _, arguments = text.partition("[")
    return kind in ("dict", "Dict", "Mapping", "collections.abc.Mapping") and arguments in (
        "",
        "str,Any]",
        "str,object]",
    )


def _shape(parameter: _Parameter, compiler: HintCompiler, namespace: Mapping[str, Any], label: str) -> Shape:
    try:
        shape = compiler.shape(resolve(parameter.name, parameter.annotation, namespace))
    except UnsupportedHint as error:
        raise TypeError(f"{label}: {parameter.name}: {hint_name(parameter.annotation)}: {error}") from None
    # `text: str = None` is often written where Optional[str] is meant.
    if parameter.default is None and shape.schema and not _takes_null(shape):
        shape = union([shape, SCALARS[type(None)]])
    return shape


def _takes_null(shape: Shape) -> bool:
    try:
        shape.convert(None)
    except Mismatch:
        return False
    return True


def _documented(shape: Shape, parameter: _Parameter, descriptions: Mapping[str, str]) -> Shape:
    schema = shape.schema
    if parameter.default is not _Parameter.empty:
        schema = with_default(schema, parameter.default)
    if parameter.name in descriptions:
        schema = {"description": descriptions[parameter.name], **schema}
    return dataclasses.replace(shape, schema=schema)


def _schema(shapes: Mapping[str, Shape], required: List[str], rest: Optional[Shape], compiler: HintCompiler) -> Schema:
    schema: Schema = {
        "$schema": _DIALECT,
        "type": "object",
        "properties": {name: shape.schema for name, shape in shapes.items()},
    }
    if required:
        schema["required"] = required
    if rest is None:
        schema["additionalProperties"] = False
    elif rest.schema:
        schema["additionalProperties"] = rest.schema
    if compiler.definitions:
        schema["$defs"] = compiler.definitions
    return schema


def _binder(
    converts: Dict[str, Convert], required: Mapping[str, str], rest: Optional[Convert], context: Optional[str]
) -> Callable[[Dict[str, Any]], Dict[str, Any]]:
    """Return what binds a map of arguments; `required` says what is expected of each argument that has no default."""
    find = converts.get
    total = len(converts)

    def bind(args: Dict[str, Any]) -> Dict[str, Any]:
        bound: Dict[str, Any] = {}
        faults: List[Fault] = []
        for name, value in args.items():
            convert = find(name, rest)
            # The context is the SDK's to give, whatever **kwargs would take.
            if convert is None or name == context:
                faults.append(unknown_key(name, converts, "argument"))
                if len(faults) >= MAX_FAULTS:
                    break
                continue
            try:
                bound[name] = convert(value)
            except Mismatch as mismatch:
                faults += mismatch.under(name)
        if faults or len(bound) != total:
            for name, expected in required.items():
                if name not in args:
                    faults += Mismatch.because("is missing", expected).under(name)
            if faults:
                raise InvalidArgs(faults[:MAX_FAULTS])
        return bound

    return bind
