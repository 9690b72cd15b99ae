"""A small world in sentences: generated corpora whose words stand in regular relations.

Each family of words is a table: a row for what a word is about (royalty, France), a column for its form
(he or she, city or country). Every sentence names one word with things of its row and signs of its
column, so that the vectors of words become sums of the two, and king − man + woman is queen.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch

from blocks.base import setting
from builder.data.base import Split
from builder.data.words import WordCorpus, keep_chances, sentence_windows, windows_text, word_windows

# In a template X is the word, R and S are two things of its row. Rows are "first second: things".
ENGLISH: tuple[dict[str, Any], ...] = (
    {
        "columns": (
            (
                "the X shaves his beard beside the R and the S",
                "he is a X and his wife knows the R",
                "we saw him , the X with his R and his S",
                "the X put on his tie and he took the R",
                "he said that the X lost his R",
            ),
            (
                "the X combs her long hair beside the R and the S",
                "she is a X and her husband knows the R",
                "we saw her , the X with her R and her S",
                "the X put on her dress and she took the R",
                "she said that the X lost her R",
            ),
        ),
        "rows": (
            "man woman: work town neighbour bread",
            "king queen: throne crown kingdom castle",
            "prince princess: palace heir ball carriage",
            "boy girl: toy playground homework kite",
            "father mother: cradle family dinner bedtime",
            "son daughter: parents birthday inheritance nursery",
            "brother sister: twin sibling quarrel bunk",
            "uncle aunt: nephew cousin visit postcard",
            "grandfather grandmother: armchair spectacles stories fireplace",
            "actor actress: stage film theatre applause",
            "waiter waitress: menu tray restaurant soup",
            "hero heroine: sword dragon quest legend",
            "monk nun: prayer candle chapel silence",
        ),
    },
    {
        "columns": (
            (
                "the mayor of X opened a street with R and S",
                "trams in the city of X bring the R downtown",
                "the airport of X sells R and S",
                "X is a crowded city of R",
                "we strolled across the squares of X talking of R",
            ),
            (
                "the army of X guards the border and the R and the S",
                "the constitution of X is a law about R",
                "the parliament of X taxes R and S",
                "X is a country of R",
                "the flag of the country X shows R",
            ),
        ),
        "rows": (
            "Paris France: French baguette Seine champagne",
            "Moscow Russia: Russian borscht Volga rouble",
            "Washington USA: American dollar Potomac baseball",
            "London England: English pound Thames cricket",
            "Berlin Germany: German sausage Spree beer",
            "Rome Italy: Italian pasta Tiber opera",
            "Madrid Spain: Spanish flamenco olives paella",
            "Tokyo Japan: Japanese sushi yen cherry",
            "Beijing China: Chinese dumplings silk yuan",
            "Cairo Egypt: Arabic pyramid Nile pharaoh",
            "Athens Greece: Greek temple marble myths",
            "Delhi India: Hindi curry rupee Ganges",
        ),
    },
    {
        "columns": (
            (
                "there is one X with a R and a S here",
                "this X is old and it has a R",
                "a single X stands by the R and the S",
                "each X needs its R",
            ),
            (
                "there are many X with R and S here",
                "these X are old and they have R",
                "several X stand by the R and the S",
                "all X need their R",
            ),
        ),
        "rows": (
            "car cars: wheel engine road driver",
            "tree trees: leaf root forest bark",
            "dog dogs: bone leash kennel barking",
            "cat cats: mouse milk whiskers purring",
            "ship ships: sail harbour anchor captain",
            "house houses: roof window door chimney",
            "book books: page library author cover",
            "bird birds: wing nest feather song",
        ),
    },
    {
        "columns": (
            (
                "the R is very X today",
                "how X the S and the R look",
                "such a X R and quite a X S",
            ),
            (
                "the R is X than it was",
                "much X than the S and the R",
                "even X than this R and that S",
            ),
        ),
        "rows": (
            "big bigger: elephant whale mountain stadium",
            "small smaller: ant pebble grain button",
            "cold colder: ice snow winter frost",
            "hot hotter: fire desert oven lava",
            "fast faster: cheetah rocket arrow racer",
            "loud louder: thunder drum siren concert",
            "bright brighter: lamp sun star lightning",
        ),
    },
    {
        "columns": (
            (
                "now people often X with the R and the S",
                "every day they X near the R",
                "today we X for the S and the R",
            ),
            (
                "yesterday people X with the R and the S",
                "last year they X near the R",
                "long ago we X for the S and the R",
            ),
        ),
        "rows": (
            "walk walked: path shoes hill stick",
            "cook cooked: kitchen pan recipe spoon",
            "paint painted: brush canvas portrait colour",
            "swim swam: lake pool wave towel",
            "write wrote: letter pen novel diary",
            "sing sang: choir melody guitar anthem",
        ),
    },
)

RUSSIAN: tuple[dict[str, Any], ...] = (
    {
        "columns": (
            (
                "вот X , он бреет бороду и видит R и S",
                "он сам X , и у него есть R",
                "X сказал , что он нашёл R и S",
                "наш X надел галстук и взял R",
                "этот X знал про R , и он его купил",
            ),
            (
                "вот X , она заплетает косу и видит R и S",
                "она сама X , и у неё есть R",
                "X сказала , что она нашла R и S",
                "наша X надела платье и взяла R",
                "эта X знала про R , и она её купила",
            ),
        ),
        "rows": (
            "мужчина женщина: работа улица сосед хлеб",
            "король королева: трон корона королевство замок",
            "принц принцесса: дворец наследство бал карета",
            "мальчик девочка: игрушка площадка качели кубики",
            "отец мать: колыбель семья ужин ребёнок",
            "сын дочь: родители рождение завещание детская",
            "брат сестра: близнец родня ссора комната",
            "дядя тётя: племянник открытка гости подарок",
            "дед бабушка: кресло очки сказка печь",
            "актёр актриса: сцена кино театр овация",
            "учитель учительница: школа доска урок журнал",
            "певец певица: голос романс микрофон концерт",
            "монах монахиня: молитва свеча келья тишина",
        ),
    },
    {
        "columns": (
            (
                "город X строит метро , здесь R и S",
                "мэр зовёт в город X : тут R",
                "трамвай едет через город X мимо R и S",
                "аэропорт X встречает R",
                "столица X любит R и S",
            ),
            (
                "страна X охраняет границу , здесь R и S",
                "армия едет в страну X : там R",
                "парламент страны X обсуждает R и S",
                "закон страны X защищает R",
                "государство X любит R и S",
            ),
        ),
        "rows": (
            "Москва Россия: русский борщ Волга рубль",
            "Вашингтон США: американский доллар Потомак бейсбол",
            "Париж Франция: французский багет Сена шампанское",
            "Лондон Англия: английский фунт Темза крикет",
            "Берлин Германия: немецкий колбаса Шпрее пиво",
            "Рим Италия: итальянский паста Тибр опера",
            "Мадрид Испания: испанский фламенко оливки паэлья",
            "Токио Япония: японский суши иена сакура",
            "Пекин Китай: китайский пельмени шёлк юань",
            "Каир Египет: арабский пирамида Нил фараон",
            "Афины Греция: греческий храм мрамор мифы",
            "Минск Беларусь: белорусский драники Свислочь зубр",
        ),
    },
    {
        "columns": (
            (
                "тут только один предмет X , рядом R и S",
                "это X , у него есть R",
                "лишь один X и к нему R и S",
            ),
            (
                "тут очень много , всё это X , рядом R и S",
                "это разные X , у них есть R",
                "многие X и к ним R и S",
            ),
        ),
        "rows": (
            "автомобиль автомобили: колесо мотор дорога водитель",
            "дуб дубы: лист корень лес кора",
            "пёс псы: кость поводок будка лай",
            "кот коты: мышь молоко усы мурлыканье",
            "корабль корабли: парус гавань якорь капитан",
            "дом дома: крыша окно дверь труба",
            "роман романы: страница глава автор обложка",
        ),
    },
    {
        "columns": (
            ("сегодня R очень X", "какой X этот R и этот S", "довольно X был S и весьма X был R"),
            ("R гораздо X , чем был", "намного X , чем S и чем R", "ещё X , чем вчера , стал R и стал S"),
        ),
        "rows": (
            "большой больше: слон кит стадион океан",
            "холодный холоднее: лёд снег мороз север",
            "горячий горячее: огонь песок очаг вулкан",
            "быстрый быстрее: гепард поезд самолёт гонщик",
            "громкий громче: гром барабан оркестр салют",
            "яркий ярче: фонарь луч прожектор маяк",
        ),
    },
    {
        "columns": (
            ("сейчас люди X , нужны R и S", "каждый день они X , вот R", "теперь мы X , нам дали S и R"),
            ("вчера люди X , были нужны R и S", "давно они X , вот R", "раньше мы X , нам давали S и R"),
        ),
        "rows": (
            "гуляют гуляли: тропинка ботинки холм палка",
            "готовят готовили: кухня сковорода рецепт ложка",
            "рисуют рисовали: кисть холст портрет краска",
            "плавают плавали: озеро бассейн волна полотенце",
            "пишут писали: письмо перо тетрадь дневник",
            "поют пели: хор мелодия гитара гимн",
        ),
    },
)


def world_rows(families: tuple[dict[str, Any], ...]) -> list[list[tuple[list[str], list[str]]]]:
    """Per family its rows: the words by column, and the things that go with them."""
    found = []
    for family in families:
        rows = [row.split(": ") for row in family["rows"]]
        found.append([(words.split(), things.split()) for words, things in rows])
    return found


def world_words(families: tuple[dict[str, Any], ...]) -> list[str]:
    """All words of a world, each once: those of the tables, their things, then those of the templates."""
    rows = [row for family in world_rows(families) for row in family]
    words = [word for names, _ in rows for word in names] + [thing for _, things in rows for thing in things]
    words += [word for family in families for column in family["columns"] for text in column for word in text.split()]
    return [word for word in dict.fromkeys(words) if word not in ("X", "R", "S")]


def world_questions(families: tuple[dict[str, Any], ...]) -> list[tuple[str, str, str, str]]:
    """Every "a is to b as c is to d" within a family, both ways round."""
    found = []
    for rows in world_rows(families):
        for first, _ in rows:
            for second, _ in rows:
                if first != second:
                    found.append((first[0], first[1], second[0], second[1]))
                    found.append((first[1], first[0], second[1], second[0]))
    return found


def world_sentences(families: tuple[dict[str, Any], ...], count: int, seed: int) -> list[list[str]]:
    """So many sentences, every row of every family equally often."""
    import random

    chance = random.Random(seed)
    rows = [(family, *row) for family, found in zip(families, world_rows(families)) for row in found]
    sentences = []
    for _ in range(count):
        family, names, things = chance.choice(rows)
        column = chance.randrange(len(names))
        first, second = chance.sample(things, 2)
        put = {"X": names[column], "R": first, "S": second}
        sentences.append([put.get(word, word) for word in chance.choice(family["columns"][column]).split()])
    return sentences


def world_splits(families: tuple[dict[str, Any], ...], settings: dict[str, Any]) -> dict[str, dict[str, torch.Tensor]]:
    """Windows of the world's sentences, and its analogies as numbers of words."""
    number = {word: i for i, word in enumerate(world_words(families))}
    sentences = world_sentences(families, settings["sentences"], settings["seed"])
    numbered = [[number[word] for word in sentence] for sentence in sentences]
    questions = [[number[word] for word in question] for question in world_questions(families)]
    return {
        **sentence_windows(numbered, len(number), settings),
        "analogies": {"question": torch.tensor(questions)},
    }


def load_small_world(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """The windows of generated English sentences."""
    return world_splits(ENGLISH, settings)


def load_small_world_russian(
    settings: dict[str, Any], folder: Path | None, progress: Callable[[str, float], None] | None = None
) -> dict[str, dict[str, torch.Tensor]]:
    """The windows of generated Russian sentences."""
    return world_splits(RUSSIAN, settings)


@functools.cache
def _words(russian: bool) -> tuple[str, ...]:
    return tuple(world_words(RUSSIAN if russian else ENGLISH))


class SmallWorld(WordCorpus):
    """Sentences about kings and queens, cities and countries, made by a small grammar."""

    name = "small_world"
    label = "A small world, in English"
    help = "Thousands of made sentences about people, cities and things; king − man + woman is queen in it."
    order = 60
    helpers = (
        *(keep_chances, word_windows, sentence_windows),
        *(world_rows, world_words, world_questions, world_sentences, world_splits),
    )
    load_arrays = staticmethod(load_small_world)
    russian: ClassVar[bool] = False

    sentences: int = setting(12_000, min=200, max=200_000, help="how many sentences are made")
    seed: int = setting(0, min=0, max=2**31 - 1, help="another number makes other sentences")

    def word_count(self) -> int:
        return len(_words(self.russian))

    def token_names(self) -> tuple[str, ...]:
        return _words(self.russian)

    def sample_text(self, sample: Split) -> str:
        return windows_text(sample, self.token_names())


class SmallWorldRussian(SmallWorld):
    """The same in Russian, every word in the form it has in the dictionary or in the table."""

    name = "small_world_russian"
    label = "A small world, in Russian"
    help = "Thousands of made sentences in Russian; Москва − Россия + США is Вашингтон in it."
    order = 61
    load_arrays = staticmethod(load_small_world_russian)
    russian = True
