"""Aspects of reviews with texts: which of a list of keyphrases each text mentions.

As in "Deep Language-based Critiquing for Recommender Systems" (Wu et al., RecSys 2019), a text is
cleaned and mentions a keyphrase if it contains it as a substring, whatever the sentiment. Unlike
there, words are not lemmatised and candidates are not filtered by part of speech, as both need a
language model: list a word by its stem or in every form that matters, and choose among the
candidates by hand.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsim.arrays import Bools, Ints
from recsim.critiquing.raw_reviews import RawReviews
from recsim.errors import LogError, did_you_mean
from recsim.log.readers.columns import Kind, read_columns
from recsim.settings import one_or_more

_SEPARATORS = str.maketrans("./-\t", "    ")
_APOSTROPHES = re.compile("['\u2019]")
_WORD = re.compile(r"\b[^\W\d_]+\b")
_KINDS: dict[str, Kind] = {"user": "text", "item": "text", "rating": "float", "text": "text"}
_IDS = ("user", "item")


@dataclass(frozen=True)
class Candidate:
    """Two adjacent words that may make a keyphrase.

    Attributes:
        phrase: The two words, separated by a space.
        count: How often they occur side by side.
        pmi: Pointwise mutual information in bits: ``log2(count(a b) * N / (count(a) * count(b)))``,
            where N is the number of all words.
    """

    phrase: str
    count: int
    pmi: float


def cleaned(text: str) -> str:
    """Return the words of a text, with one space between them and at both ends.

    Words are in lower case and consist of letters only; English stop words (scikit-learn's list)
    are removed. Full stop, slash, hyphen and tab separate words; apostrophes are removed.
    """
    plain = _APOSTROPHES.sub("", text.translate(_SEPARATORS).lower())
    words = (word for word in _WORD.findall(plain) if word not in _stop_words())
    return f" {' '.join(words)} "


def mentions(texts: str | Iterable[str], keyphrases: str | Sequence[str]) -> Bools:
    """Return which text mentions which keyphrase, ``(M, K)``.

    Args:
        texts: M original texts, or one.
        keyphrases: Substrings of cleaned texts; a space at an end marks the end of a word, so that
            ``" rye "`` does not occur in "fryer".
    """
    texts, keyphrases = one_or_more(texts), one_or_more(keyphrases)
    words = pa.array((cleaned(text) for text in texts), pa.large_string())
    table = np.zeros((len(words), len(keyphrases)), dtype=np.bool_)
    for column, phrase in enumerate(keyphrases):
        table[:, column] = pc.match_substring(words, phrase).to_numpy(zero_copy_only=False)
    return table


def candidate_keyphrases(texts: Iterable[str], *, min_count: int = 100) -> list[Candidate]:
    """Return pairs of adjacent words that may make good keyphrases.

    Args:
        texts: Original texts; pairs are taken from the cleaned ones.
        min_count: How often a pair must occur.

    Returns:
        Candidates in descending order of mutual information, ties in alphabetical order.
    """
    single: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for text in texts:
        words = cleaned(text).split()
        single.update(words)
        pairs.update(pairwise(words))
    kept = [(pair, count) for pair, count in pairs.items() if count >= min_count]
    together = np.array([count for _, count in kept], dtype=np.float64)
    apart = np.array([(single[a], single[b]) for (a, b), _ in kept]).reshape(-1, 2)
    pmi = np.log2(together * single.total() / apart.prod(axis=1))
    candidates = [
        Candidate(" ".join(pair), count, value)
        for (pair, count), value in zip(kept, pmi.tolist(), strict=True)
    ]
    return sorted(candidates, key=lambda one: (-one.pmi, one.phrase))


def read_keyphrases(file: str | Path) -> tuple[str, ...]:
    """Read a list of keyphrases, one per line; blank lines are ignored.

    Spaces at the ends count only within quotation marks, as in ``' rye '``.

    Raises:
        LogError: If the file is missing, has no keyphrases, or has a keyphrase twice or one that no
            cleaned text can contain, such as one with a stop word; the message names the line.
    """
    file = Path(file)
    phrases: list[str] = []
    for number, line in enumerate(_text_lines(file), start=1):
        phrase = line.strip()
        if not phrase:
            continue
        if len(phrase) > 2 and phrase[0] == phrase[-1] and phrase[0] in "'\"":
            phrase = phrase[1:-1]
        if not re.fullmatch(r" ?[^\W\d_]+( [^\W\d_]+)* ?", phrase) or phrase != phrase.lower():
            raise LogError(
                f"{file}, line {number}: {phrase!r} cannot occur in a cleaned text: it must be "
                "words of lower-case letters, separated by one space."
            )
        for word in phrase.split():
            if word in _stop_words():
                raise LogError(
                    f"{file}, line {number}: {phrase!r} cannot occur in a cleaned text: {word!r} "
                    "is a stop word, which is removed from texts. Leave it out, or choose another "
                    "keyphrase."
                )
        if phrase.strip() in map(str.strip, phrases):
            raise LogError(f"{file}, line {number}: {phrase!r} occurs twice.")
        phrases.append(phrase)
    if not phrases:
        raise LogError(f"{file} has no keyphrases; write one per line.")
    return tuple(phrases)


def read_texts(file: str | Path, keyphrases: str | Path) -> RawReviews:
    """Read reviews with texts, and find the aspects that they mention.

    Args:
        file: CSV or Parquet with columns ``user``, ``item``, ``rating`` and ``text``; or, if its
            name ends in ``.jsonl``, one JSON object per line with these keys.
        keyphrases: File that `read_keyphrases` reads. Each aspect is named by its keyphrase.

    Warns of keyphrases that are in no text, with the number of texts that mention each aspect.

    Raises:
        LogError: If a file is missing or malformed; the message names file, line and column.
    """
    file = Path(file)
    phrases = read_keyphrases(keyphrases)
    columns = _json_lines(file) if file.suffix == ".jsonl" else _table(file)
    mentioned = mentions(columns["text"].tolist(), phrases)
    counts = mentioned.sum(axis=0)
    absent = [repr(phrase) for phrase, count in zip(phrases, counts, strict=True) if not count]
    if absent:
        warnings.warn(
            f"{keyphrases}: {', '.join(absent)} in none of the {len(mentioned)} texts of {file}. "
            f"Texts that mention each aspect: {counts_text(phrases, counts)}.",
            stacklevel=2,
        )
    return RawReviews(
        user=columns["user"],
        item=columns["item"],
        rating=columns["rating"],
        aspects=mentioned,
        aspect_names=tuple(phrase.strip() for phrase in phrases),
        source=str(file),
    )


def counts_text(phrases: Sequence[str], counts: Ints) -> str:
    """Return how many texts mention each aspect, ``(K,)``, as text, the most frequent first."""
    order = np.argsort(-counts, kind="stable").tolist()
    return ", ".join(f"{phrases[place].strip()} {counts[place]}" for place in order)


def _table(file: Path) -> dict[str, NDArray[Any]]:
    table = read_columns(file, _KINDS)
    return {name: table.ids(name) if name in _IDS else table[name] for name in _KINDS}


def _json_lines(file: Path) -> dict[str, NDArray[Any]]:
    rows, first = [], dict[str, type]()
    for number, line in enumerate(_text_lines(file), start=1):
        if line.strip():
            rows.append(_row(line, f"{file}, line {number}", first))
    if not rows:
        raise LogError(f"{file} has no rows.")
    columns = dict(zip(_KINDS, zip(*rows, strict=True), strict=True))
    return {
        name: np.array(values, dtype=np.float64 if name == "rating" else object)
        for name, values in columns.items()
    }


def _row(line: str, where: str, first: dict[str, type]) -> tuple[str, str, float, str]:
    """Return one entry; ``first`` has the type of the first user and item, and is filled."""
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise LogError(f"{where} is not JSON: {error}") from error
    if not isinstance(entry, dict):
        raise LogError(f"{where}: must be an object, not {type(entry).__name__}.")
    for name in _KINDS:
        if name not in entry:
            raise LogError(f"{where} has no {name!r}.{did_you_mean(name, entry)}")
    user, item, rating, text = (entry[name] for name in _KINDS)
    for name in _IDS:
        if isinstance(entry[name], bool) or not isinstance(entry[name], str | int):
            raise LogError(f"{where}, {name!r}: {entry[name]!r} is not text or a whole number.")
        if first.setdefault(name, type(entry[name])) is not type(entry[name]):
            raise LogError(
                f"{where}, {name!r}: {entry[name]!r} is "
                f"{'text' if isinstance(entry[name], str) else 'a number'}, and the first is not: "
                "write all ids in one way."
            )
    if isinstance(rating, bool) or not isinstance(rating, int | float) or not np.isfinite(rating):
        raise LogError(f"{where}, 'rating': {rating!r} is not a finite number.")
    if not isinstance(text, str):
        raise LogError(f"{where}, 'text': {text!r} is not text.")
    return str(user), str(item), float(rating), text


def _text_lines(file: Path) -> list[str]:
    if not file.is_file():
        raise LogError(f"{file} does not exist.")
    try:
        return file.read_text(encoding="utf-8-sig").split("\n")
    except (UnicodeDecodeError, OSError) as error:
        raise LogError(f"{file} cannot be read: {error}") from error


@cache
def _stop_words() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS)


def main(arguments: Sequence[str]) -> int:
    """Print how many texts mention each aspect: ``REVIEWS KEYPHRASES``, see `read_texts`."""
    if len(arguments) != 2:
        print("usage: python -m recsim.critiquing.mining REVIEWS KEYPHRASES", file=sys.stderr)
        return 2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what it says is printed below
            reviews = read_texts(*arguments)
    except LogError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(reviews.user)} texts")
    for name, count in zip(reviews.aspect_names, reviews.aspects.sum(axis=0), strict=True):
        print(f"{count:8d}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
