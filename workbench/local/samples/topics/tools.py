"""Conversations in which the assistant calls a tool, reads its result, and says it in words."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from workbench.local.samples.topics.units import UNITS, plural, quantity

_CITIES = (
    "Athens", "Berlin", "Cairo", "Dublin", "Hanoi", "Lagos", "Lima", "Oslo", "Paris", "Quito", "Rome", "Seoul",
    "Tokyo", "Vienna",
)  # fmt: skip
_SKIES = ("sunny", "cloudy", "rainy", "windy", "snowy")


def _tool(name: str, description: str, **parameters: tuple[str, str]) -> dict[str, Any]:
    """A JSON-schema tool description as chat templates take it; `parameters`: name → (type, description)."""
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {key: {"type": kind, "description": text} for key, (kind, text) in parameters.items()},
                "required": list(parameters),
            },
        },
    }


CONVERT_UNITS = _tool(
    "convert_units",
    "Convert a quantity from one unit to another.",
    value=("number", "The quantity to convert."),
    from_unit=("string", "The unit it is given in, such as metre."),
    to_unit=("string", "The unit to convert to, such as centimetre."),
)
GET_WEATHER = _tool("get_weather", "Look up the present weather of a city.", city=("string", "Name of the city."))
ADD_NUMBERS = _tool(
    "add_numbers",
    "Add two whole numbers.",
    first=("integer", "The first number."),
    second=("integer", "The second number."),
)
SET_TIMER = _tool("set_timer", "Start a kitchen timer.", minutes=("integer", "How long, in minutes."))


def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """An assistant turn that is one tool call."""
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]}


def conversation(rng: Random) -> dict[str, Any]:
    """{"messages", "tools"}: user, call, tool result, answer – one in eight needs no tool and has none called."""
    kind = rng.randrange(8)
    if kind == 7:
        text = rng.choice(("Hello, who are you?", "Thank you!", "Good evening."))
        replies = {"Hello, who are you?": "I am a small helper with a few tools.", "Thank you!": "You are welcome."}
        messages = [_said("user", text), _said("assistant", replies.get(text, "Good evening. How can I help?"))]
        return {"messages": messages, "tools": [CONVERT_UNITS, GET_WEATHER]}
    if kind in (0, 1, 2):
        big, small, factor, most = rng.choice(UNITS)
        amount = rng.randint(1, most)
        question = f"How many {plural(small)} are in {quantity(amount, big)}?"
        arguments: dict[str, Any] = {"value": amount, "from_unit": big, "to_unit": small}
        result: dict[str, Any] = {"value": amount * factor, "unit": small}
        said = f"{quantity(amount, big)} {'is' if amount == 1 else 'are'} {quantity(amount * factor, small)}."
        return _called(question, CONVERT_UNITS, arguments, result, said, rng)
    if kind in (3, 4):
        city = rng.choice(_CITIES)
        degrees, sky = rng.randint(-5, 35), rng.choice(_SKIES)
        question = rng.choice((f"What is the weather like in {city}?", f"How is the weather in {city} today?"))
        said = f"It is {sky} in {city}, with {degrees} degrees."
        return _called(question, GET_WEATHER, {"city": city}, {"sky": sky, "celsius": degrees}, said, rng)
    if kind == 5:
        first, second = rng.randint(10, 999), rng.randint(10, 999)
        said = f"{first} plus {second} is {first + second}."
        question = f"What is {first} plus {second}?"
        return _called(question, ADD_NUMBERS, {"first": first, "second": second}, {"sum": first + second}, said, rng)
    minutes = rng.randint(1, 60)
    question = f"Set a timer for {quantity(minutes, 'minute')}, please."
    said = f"Your timer for {quantity(minutes, 'minute')} is running."
    return _called(question, SET_TIMER, {"minutes": minutes}, {"started": True}, said, rng)


def _called(
    question: str, tool: dict[str, Any], arguments: dict[str, Any], result: dict[str, Any], said: str, rng: Random
) -> dict[str, Any]:
    name = tool["function"]["name"]
    others = [other for other in (CONVERT_UNITS, GET_WEATHER, ADD_NUMBERS, SET_TIMER) if other is not tool]
    tools = [tool, *rng.sample(others, rng.randint(0, 2))]
    rng.shuffle(tools)
    messages = [
        _said("user", question),
        call(name, arguments),
        {"role": "tool", "name": name, "content": json.dumps(result)},
        _said("assistant", said),
    ]
    return {"messages": messages, "tools": tools}


def _said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}
