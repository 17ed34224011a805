"""A small world of questions, answers, code, dialogues and documents that generated dataset rows are made of."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

_THINGS = (
    ("the tides", "the pull of the Moon and the Sun on the oceans", "sailors throwing stones into the sea"),
    ("a rainbow", "sunlight bent and split inside drops of rain", "paint left over from other weather"),
    ("rust", "iron that reacts with water and oxygen", "dirt that sticks to old metal"),
    ("an echo", "sound that comes back from a hard surface", "somebody hidden who repeats your words"),
    ("fog", "tiny drops of water that float near cool ground", "smoke from a neighbouring village"),
    ("a volcano", "molten rock that rises through a weak place in the crust", "a mountain that is angry"),
    ("photosynthesis", "plants that turn light, water and carbon dioxide into sugar", "plants that eat small insects"),
    ("an eclipse", "one body in space that passes through the shadow of another", "the Sun going out for a while"),
    ("inflation", "prices that rise when money grows faster than goods", "balloons that get bigger"),
    ("gravity", "masses that attract each other across any distance", "glue between the ground and our shoes"),
)
_NAMES = ("Mia", "Ben", "Aisha", "Tomas", "Noor", "Ivan", "Lena", "Kofi", "Yuki", "Clara")
_GOODS = ("apples", "stamps", "marbles", "pencils", "coins", "shells", "tickets", "cards")
_SOURCES = ("wiki", "forum", "books", "synthetic")


@dataclass(frozen=True)
class Item:
    """One question with everything that may be said about it."""

    number: int
    question: str
    rephrased: str
    answer: str
    worse: str
    thought: str
    short: str
    source: str


def items(count: int, seed: int = 7) -> list[Item]:
    """Questions of several kinds; most questions and all numbers differ."""
    rng = Random(seed)
    makers = (_why, _sum, _task, _story)
    return [makers[index % len(makers)](rng, index) for index in range(count)]


def _why(rng: Random, number: int) -> Item:
    thing, true, false = rng.choice(_THINGS)
    place = rng.choice(("in one paragraph", "for a child", "with an example", "in plain words"))
    return Item(
        number,
        f"What causes {thing}? Explain it {place}.",
        f"Could you tell me {place} where {thing} comes from?",
        f"In short, {thing} is caused by {true}. That is why one sees it again and again in the same places, and why "
        f"it can be predicted once the conditions are known. Case {number} in the notes shows it well.",
        f"I think {thing} comes from {false}, but who knows. Ask somebody else about case {number}.",
        f"The question is about {thing}. I recall that it has to do with {true}. Let me check that against what is "
        f"seen: it fits. Other ideas, such as {false}, make no sense. I should answer {place}, with case {number}.",
        true,
        rng.choice(_SOURCES),
    )


def _sum(rng: Random, number: int) -> Item:
    name, goods = rng.choice(_NAMES), rng.choice(_GOODS)
    first, second = rng.randint(12, 89), rng.randint(3, 40)
    total = first + second
    return Item(
        number,
        f"{name} has {first} {goods} and buys {second} more. How many {goods} does {name} have now?",
        f"If {name} starts with {first} {goods} and then gets another {second}, what is the total?",
        f"{name} starts with {first} {goods} and buys {second} more, so we add: {first} + {second} = {total}. "
        f"{name} has {total} {goods} now.",
        f"{name} has {total + rng.randint(1, 9)} {goods}, I guess.",
        f"We start from {first} {goods}. Buying {second} more means adding. {first} plus {second}: the tens give "
        f"{first // 10 * 10 + second // 10 * 10}, the ones {first % 10 + second % 10}. So {total}. Check: {total} - "
        f"{second} = {first}. Good.",
        str(total),
        rng.choice(_SOURCES),
    )


def _task(rng: Random, number: int) -> Item:
    thing, true, false = rng.choice(_THINGS)
    name = rng.choice(_NAMES)
    return Item(
        number,
        f"Write a short letter from {name} to a friend about {thing}, number {number}.",
        f"Please draft a brief friendly letter in which {name} speaks of {thing} (no. {number}).",
        f"Dear friend,\n\nyesterday I read about {thing}. Did you know that it has to do with {true}? I had to think "
        f"of our walk last summer.\n\nYours, {name}",
        f"Hi. {thing} is {false}. Bye.",
        f"A letter has a greeting, a body and a close. {name} is the sender. The subject is {thing}, so I mention "
        f"{true}. It should be short and warm.",
        f"Dear friend, {name} writes about {thing}",
        rng.choice(_SOURCES),
    )


def _story(rng: Random, number: int) -> Item:
    name, other = rng.sample(_NAMES, 2)
    goods = rng.choice(_GOODS)
    price = rng.randint(2, 19)
    return Item(
        number,
        f"Give me three tips for selling {goods} at {price} euros, as {name} and {other} plan to.",
        f"How would you advise {name} and {other}, who want to sell {goods} for {price} euros?",
        f"Here are three tips:\n\n1. Let people touch the {goods} before they buy.\n2. Round the price: {price} euros "
        f"are easy to pay.\n3. {name} talks to customers while {other} keeps the books.",
        f"Just lower the price until the {goods} are gone.",
        f"They sell {goods} at {price} euros. What helps sales? Trust, easy prices and clear roles. I give each of the "
        f"two a task and keep it to three points.",
        f"Show the {goods}, round the price, share the work",
        rng.choice(_SOURCES),
    )


def document(rng: Random, number: int) -> str:
    """A piece of web text of some paragraphs."""
    parts = []
    for _ in range(rng.randint(3, 6)):
        thing, true, _ = rng.choice(_THINGS)
        parts.append(
            f"Many visitors to the region ask about {thing}. The guides explain that it is a matter of {true}. In the "
            f"year {rng.randint(1850, 2020)} a society was founded to study it, and its {rng.randint(20, 900)} members "
            "still meet every spring."
        )
    return f"Report {number}. " + "\n\n".join(parts)


def sql(rng: Random, number: int) -> tuple[str, str, str, str]:
    """(question, CREATE TABLE context, query, explanation)"""
    table = rng.choice(("orders", "staff", "flights", "albums", "clinics"))
    column, other = rng.sample(("price", "city", "age", "score", "weight", "season"), 2)
    bound = rng.randint(2, 90)
    return (
        f"What is the {column} of {table} whose {other} is above {bound}?",
        f"CREATE TABLE {table}_{number} ({column} VARCHAR, {other} INTEGER)",
        f"SELECT {column} FROM {table}_{number} WHERE {other} > {bound}",
        f"This reads the column {column} from {table}_{number} and keeps the rows in which {other} exceeds {bound}.",
    )


def tool(rng: Random) -> tuple[dict[str, object], dict[str, object]]:
    """(schema, a call of it)"""
    city = rng.choice(("Oslo", "Lima", "Accra", "Kyoto"))
    schema = {
        "name": "get_weather",
        "description": "Weather for a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    return schema, {"name": "get_weather", "arguments": {"city": city}}
