"""Plain facts about animals and colours, from small tables that anyone can check."""

from __future__ import annotations

from workbench.local.samples.topics import Pair

# animal: (class, legs, where it lives, what it mostly eats, its young)
ANIMALS: dict[str, tuple[str, int, str, str, str]] = {
    "cat": ("mammal", 4, "in houses and gardens", "meat", "kitten"),
    "dog": ("mammal", 4, "with people", "meat", "puppy"),
    "horse": ("mammal", 4, "on grassland", "grass", "foal"),
    "cow": ("mammal", 4, "on pastures", "grass", "calf"),
    "sheep": ("mammal", 4, "on pastures", "grass", "lamb"),
    "goat": ("mammal", 4, "in the mountains", "leaves", "kid"),
    "pig": ("mammal", 4, "on farms", "plants and roots", "piglet"),
    "rabbit": ("mammal", 4, "in burrows", "grass", "kit"),
    "fox": ("mammal", 4, "in woods", "small animals", "cub"),
    "wolf": ("mammal", 4, "in forests", "meat", "pup"),
    "lion": ("mammal", 4, "on the savanna", "meat", "cub"),
    "tiger": ("mammal", 4, "in the jungle", "meat", "cub"),
    "elephant": ("mammal", 4, "on the savanna", "leaves and grass", "calf"),
    "giraffe": ("mammal", 4, "on the savanna", "leaves", "calf"),
    "polar bear": ("mammal", 4, "in the Arctic", "seals", "cub"),
    "deer": ("mammal", 4, "in forests", "leaves", "fawn"),
    "hare": ("mammal", 4, "in fields", "grass", "leveret"),
    "beaver": ("mammal", 4, "by rivers", "bark", "kit"),
    "hedgehog": ("mammal", 4, "in hedges", "insects", "hoglet"),
    "kangaroo": ("mammal", 4, "in Australia", "grass", "joey"),
    "koala": ("mammal", 4, "in eucalyptus trees", "leaves", "joey"),
    "whale": ("mammal", 0, "in the sea", "krill", "calf"),
    "dolphin": ("mammal", 0, "in the sea", "fish", "calf"),
    "duck": ("bird", 2, "on ponds", "water plants", "duckling"),
    "goose": ("bird", 2, "by lakes", "grass", "gosling"),
    "swan": ("bird", 2, "on lakes", "water plants", "cygnet"),
    "hen": ("bird", 2, "on farms", "seeds", "chick"),
    "owl": ("bird", 2, "in old trees", "mice", "owlet"),
    "eagle": ("bird", 2, "in the mountains", "small animals", "eaglet"),
    "penguin": ("bird", 2, "in the Antarctic", "fish", "chick"),
    "sparrow": ("bird", 2, "in towns", "seeds", "chick"),
    "salmon": ("fish", 0, "in rivers and the sea", "small fish", "fry"),
    "trout": ("fish", 0, "in cold streams", "insects", "fry"),
    "shark": ("fish", 0, "in the sea", "fish", "pup"),
    "eel": ("fish", 0, "in rivers and the sea", "small fish", "elver"),
    "frog": ("amphibian", 4, "by ponds", "insects", "tadpole"),
    "toad": ("amphibian", 4, "in damp places", "insects", "tadpole"),
    "newt": ("amphibian", 4, "by ponds", "insects", "eft"),
    "tortoise": ("reptile", 4, "on dry land", "leaves", "hatchling"),
    "lizard": ("reptile", 4, "on warm stones", "insects", "hatchling"),
    "snake": ("reptile", 0, "in grass and woods", "small animals", "hatchling"),
    "crocodile": ("reptile", 4, "by warm rivers", "meat", "hatchling"),
    "bee": ("insect", 6, "in hives", "nectar", "larva"),
    "ant": ("insect", 6, "in nests", "seeds and sugar", "larva"),
    "butterfly": ("insect", 6, "on flowers", "nectar", "caterpillar"),
    "beetle": ("insect", 6, "under bark", "plants", "grub"),
    "dragonfly": ("insect", 6, "by ponds", "insects", "nymph"),
    "spider": ("arachnid", 8, "in webs", "insects", "spiderling"),
    "scorpion": ("arachnid", 8, "in deserts", "insects", "scorpling"),
}

# Paint: two colours mixed.
MIXTURES = {
    ("red", "yellow"): "orange",
    ("blue", "yellow"): "green",
    ("red", "blue"): "purple",
    ("red", "white"): "pink",
    ("black", "white"): "grey",
    ("blue", "white"): "light blue",
    ("red", "green"): "brown",
}
# thing: its usual colour
COLOURS = {
    "grass": "green", "snow": "white", "coal": "black", "a ripe banana": "yellow", "a ripe tomato": "red",
    "a clear sky": "blue", "an orange": "orange", "an aubergine": "purple", "chocolate": "brown", "a flamingo": "pink",
    "milk": "white", "a lemon": "yellow", "a strawberry": "red", "a lime": "green", "ash": "grey",
    "a carrot": "orange", "a raven": "black", "a canary": "yellow", "a ruby": "red", "an emerald": "green",
    "a sapphire": "blue", "salt": "white", "a cucumber": "green", "an elephant": "grey", "a sunflower": "yellow",
}  # fmt: skip


def every_fact() -> list[Pair]:
    """Every fact as questions in a few phrasings with one answer; `key` is the fact."""
    pairs: list[Pair] = []
    for animal, (kind, legs, home, food, young) in ANIMALS.items():
        the = article(animal)
        legs_text = "no legs" if legs == 0 else f"{legs} legs"
        for answer, *questions in (
            (
                f"{the} is {article(kind, capital=False)}.",
                f"What kind of animal is {the.lower()}?",
                f"Which class of animals does {the.lower()} belong to?",
            ),
            (f"{the} has {legs_text}.", f"How many legs does {the.lower()} have?", f"Count the legs of {the.lower()}."),
            (f"{the} lives {home}.", f"Where does {the.lower()} live?", f"Where would you find {the.lower()}?"),
            (f"{the} mostly eats {food}.", f"What does {the.lower()} eat?", f"What is the food of {the.lower()}?"),
            (
                f"A young {animal} is called {article(young, capital=False)}.",
                f"What is a young {animal} called?",
                f"What do you call a baby {animal}?",
            ),
        ):
            pairs += [Pair(question, answer, answer) for question in questions]
    for (one, two), mixed in MIXTURES.items():
        for first, second in ((one, two), (two, one)):
            question = f"Which colour do you get from {first} and {second} paint?"
            pairs.append(Pair(question, f"{first.capitalize()} and {second} paint give {mixed}.", f"{one} {two}"))
    for thing, colour in COLOURS.items():
        said = f"{thing[0].upper()}{thing[1:]} is {colour}."
        pairs.append(Pair(f"What colour is {thing}?", said, said))
        pairs.append(Pair(f"Tell me the colour of {thing}.", said, said))
    return pairs


def article(noun: str, *, capital: bool = True) -> str:
    """The noun with "a" or "an"; "fish" as a class takes "a" like the rest."""
    with_article = f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
    return with_article[0].upper() + with_article[1:] if capital else with_article
