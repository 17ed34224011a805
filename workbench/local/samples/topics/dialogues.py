"""Short dialogues at a café counter and at a railway station; the bill and the arrival time are always right."""

from __future__ import annotations

from random import Random

Turn = tuple[str, str]  # ("user" | "assistant", text)

# item: price in whole euros
MENU = {
    "coffee": 3, "tea": 2, "cocoa": 4, "lemonade": 3, "apple juice": 3, "croissant": 2, "sandwich": 6,
    "slice of cake": 4, "bowl of soup": 5, "salad": 7, "cheese roll": 4, "scone": 3,
}  # fmt: skip
# town: minutes by train from the station
TRAINS = {
    "Ashford": 25, "Brook": 40, "Carlow": 15, "Denby": 55, "Elmwood": 35, "Fairhaven": 70, "Grantham": 50,
    "Hillford": 20, "Ivybridge": 45, "Kingsley": 65,
}  # fmt: skip

CAFE_SYSTEM = "You serve at a small café. Be friendly and say the price of each order."
STATION_SYSTEM = "You work at the information desk of a railway station. Answer briefly and exactly."


def cafe(rng: Random) -> list[Turn]:
    """An order of one to three different things, then the bill, then thanks."""
    items = rng.sample(sorted(MENU), rng.randint(1, 3))
    turns: list[Turn] = []
    greeting = rng.choice(("Hello!", "Good morning!", "Good afternoon!", "Hi there!"))
    turns.append(("user", f"{greeting} Could I have a {items[0]}, please?"))
    turns.append(("assistant", f"{greeting} A {items[0]} is {MENU[items[0]]} euros. Anything else?"))
    for item in items[1:]:
        turns.append(("user", f"Yes, a {item} as well."))
        turns.append(("assistant", f"Of course. A {item} is {MENU[item]} euros. Anything else?"))
    total = sum(MENU[item] for item in items)
    turns.append(("user", rng.choice(("No, that is all. How much is it?", "That is everything. What do I owe you?"))))
    turns.append(("assistant", f"That makes {total} euros in all, please."))
    if rng.random() < 0.4:
        turns.append(("user", rng.choice(("Here you are. Thank you!", "Thanks a lot!"))))
        turns.append(("assistant", "Thank you, and enjoy!"))
    return turns


def station(rng: Random) -> list[Turn]:
    """When does the next train leave, when does it arrive, from which platform."""
    town = rng.choice(sorted(TRAINS))
    leaves = rng.randrange(6 * 60, 21 * 60, 5)
    arrives = leaves + TRAINS[town]
    platform = rng.randint(1, 8)
    turns: list[Turn] = [
        ("user", rng.choice((f"When does the next train to {town} leave?", f"Is there a train to {town} soon?"))),
        ("assistant", f"The next train to {town} leaves at {_time(leaves)} from platform {platform}."),
        ("user", rng.choice(("When does it arrive?", "And when will I be there?"))),
        ("assistant", f"It takes {TRAINS[town]} minutes and arrives in {town} at {_time(arrives)}."),
    ]
    if rng.random() < 0.5:
        turns.append(("user", "Which platform was that?"))
        turns.append(("assistant", f"Platform {platform}."))
    return turns


def _time(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
