"""The ``tags`` filter of the repo list: a JSON object of equalities and operators, or the older ``k:v,k:v`` pairs."""

import json
from collections.abc import Callable, Mapping
from typing import Any

Tags = Mapping[str, str]
Test = Callable[[Tags], bool]
_DEEPEST = 10

_TEXT_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "$eq": lambda value, wanted: value == wanted,
    "$contains": lambda value, wanted: wanted in value,
    "$starts_with": lambda value, wanted: value.startswith(wanted),
    "$ends_with": lambda value, wanted: value.endswith(wanted),
}


def parse_tag_filter(text: str) -> Test:
    """A test of a repo's tags, blind to case. ValueError says what is wrong with the filter."""
    if not text.lstrip().startswith("{"):
        return _all([_key_test(key, value) for key, value in _pairs(text)])
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is not valid JSON") from None
    return _tree_test(tree, _DEEPEST)


def _pairs(text: str) -> list[tuple[str, str]]:
    """``env:prod,team:core``; ``=`` for ``:`` too."""
    pairs = [item.replace("=", ":", 1).partition(":") for item in text.split(",")]
    if not all(key.strip() and colon for key, colon, _ in pairs):
        raise ValueError("must be a JSON object, or pairs such as env:prod,team:core")
    return [(key.strip(), value.strip()) for key, _, value in pairs]


def _tree_test(tree: object, depth: int) -> Test:
    if not isinstance(tree, dict):
        raise ValueError("must be a JSON object wherever conditions stand")
    if not depth:
        raise ValueError(f"nests deeper than {_DEEPEST} levels")
    return _all([_condition(key, value, depth - 1) for key, value in tree.items()])


def _condition(key: str, value: Any, depth: int) -> Test:
    if key in ("$and", "$or"):
        if not isinstance(value, list) or not value:
            raise ValueError(f"{key} needs a list of conditions")
        tests = [_tree_test(item, depth) for item in value]
        return _all(tests) if key == "$and" else lambda tags: any(test(tags) for test in tests)
    if key == "$not":
        test = _tree_test(value, depth)
        return lambda tags: not test(tags)
    if key.startswith("$"):
        raise ValueError(f"has no operator {key}")
    return _key_test(key, value)


def _key_test(key: str, wanted: Any) -> Test:
    operators = {"$eq": wanted} if isinstance(wanted, str) else wanted
    if not isinstance(operators, dict) or not operators:
        raise ValueError(f"{key} needs a text, or an object of operators")
    return _all([_operator_test(key.lower(), operator, operand) for operator, operand in operators.items()])


def _operator_test(key: str, operator: str, operand: Any) -> Test:
    if operator == "$exists":
        if not isinstance(operand, bool):
            raise ValueError("$exists needs true or false")
        return lambda tags: (key in tags) == operand
    if operator == "$in":
        if not isinstance(operand, list) or not all(isinstance(item, str) for item in operand):
            raise ValueError("$in needs a list of texts")
        options = {item.lower() for item in operand}
        return lambda tags: key in tags and tags[key].lower() in options
    if operator not in _TEXT_TESTS or not isinstance(operand, str):
        raise ValueError(f"{operator} is no operator, or needs a text")
    compare, text = _TEXT_TESTS[operator], operand.lower()
    return lambda tags: key in tags and compare(tags[key].lower(), text)


def _all(tests: list[Test]) -> Test:
    return lambda tags: all(test(tags) for test in tests)
