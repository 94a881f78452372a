"""Aspects of reviews with texts."""

import json
import math

import numpy as np
import pytest

from recsim.critiquing import read_reviews
from recsim.critiquing.mining import (
    candidate_keyphrases,
    cleaned,
    main,
    mentions,
    read_keyphrases,
    read_texts,
)
from recsim.errors import LogError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Roasty, caramel-coloured ale.", " roasty caramel coloured ale "),
        ("sweet/sour.bitter\tdry", " sweet sour bitter dry "),
        ("It isn't THE best: 8% abv2 x_y", " isnt best "),  # words have no digits and no _
        ("crème brûlée", " crème brûlée "),
        ("the and of", "  "),
        ("", "  "),
        ("hop\nhop  hop", " hop hop hop "),
    ],
)
def test_texts_are_cleaned(text, words):
    assert cleaned(text) == words


def test_an_aspect_is_mentioned_if_the_cleaned_text_contains_it():
    texts = ["Fryer oil, toasted.", "Rye bread!", "dark RYE", "a rye-toast", "the toast of rye"]
    table = mentions(texts, ["toast", " rye ", "rye", "rye toast", "dark rye"])
    assert table.astype(int).tolist() == [
        [1, 0, 1, 0, 0],  # f-rye-r
        [0, 1, 1, 0, 0],
        [0, 1, 1, 0, 1],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 0, 0],
    ]
    assert mentions([], ["toast"]).shape == (0, 1)


def test_mentions_agree_with_python():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["rye", "fryer", "malt", "The"], 3)) for _ in range(200)]
    phrases = ["rye", " rye", "malt rye", "fryer malt", "xyz"]
    expected = [[phrase in cleaned(text) for phrase in phrases] for text in texts]
    assert mentions(texts, phrases).tolist() == expected


def test_candidates_by_hand():
    """Eight words: "dark" 2, "ale" 3, "light" 1, "malt" 2; "dark ale" occurs twice."""
    texts = ["dark ale light ale", "The dark ale", "malt malt"]
    candidates = candidate_keyphrases(texts, min_count=1)
    by_phrase = {one.phrase: one for one in candidates}
    # Three times log2(8 / 3), in alphabetical order, then log2(4).
    assert list(by_phrase) == ["ale light", "dark ale", "light ale", "malt malt"]
    assert by_phrase["dark ale"].count == 2
    assert by_phrase["dark ale"].pmi == pytest.approx(math.log2(2 * 8 / (2 * 3)))
    assert by_phrase["light ale"].pmi == pytest.approx(math.log2(8 / 3))
    assert by_phrase["malt malt"].pmi == pytest.approx(math.log2(8 / 4))
    assert [one.phrase for one in candidate_keyphrases(texts, min_count=2)] == ["dark ale"]
    assert candidate_keyphrases(texts, min_count=3) == []


@pytest.fixture
def folder(tmp_path):
    """Write four reviews and three keyphrases."""
    (tmp_path / "keyphrases.txt").write_text("roast\n\n' rye '\ndark chocolate\n")
    (tmp_path / "reviews.csv").write_text(
        "item,user,rating,text,when\n"
        'ale,ann,5,"Roasted, with\nDark chocolate",1\n'
        "ale,bob,3,rye,2\n"
        "bock,ann,4,fryer,3\n"
        "bock,bob,4,roast of rye,4\n"
    )
    return tmp_path


MENTIONED = [[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]]


def test_texts_are_read(folder):
    reviews = read_reviews(folder)
    assert reviews.aspect_names == ("roast", "rye", "dark chocolate")
    assert reviews.user_names == ("ann", "bob")
    assert reviews.item_names == ("ale", "bock")
    assert reviews.user.tolist() == [0, 1, 0, 1]
    assert reviews.aspects.astype(int).tolist() == MENTIONED
    assert len(read_reviews(folder, min_rating=4)) == 3
    assert len(read_reviews(folder / "reviews.csv")) == 4, "the path may be the file"


def test_lines_of_json_are_read(folder):
    rows = [
        {"user": "ann", "item": 7, "rating": 5, "text": "Roasted, with\nDark chocolate"},
        {"user": "bob", "item": 7, "rating": 3.0, "text": "rye", "more": None},
    ]
    file = folder / "reviews.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)) + "\n")
    read = read_texts(file, folder / "keyphrases.txt")
    assert read.user.tolist() == ["ann", "bob"]
    assert read.item.tolist() == ["7", "7"]
    assert read.rating.tolist() == [5, 3]
    assert read.aspects.astype(int).tolist() == MENTIONED[:2]
    with pytest.raises(
        LogError, match=r"holds reviews\.csv and reviews\.jsonl; give the path of one"
    ):
        read_reviews(folder)
    assert len(read_reviews(file)) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"reviews\.jsonl, line 2 is not JSON"),
        ("[]", r"line 2: must be an object, not list"),
        ('{"user": "a", "item": "b", "ratings": 1, "text": ""}', r"no 'rating'\. Did you mean"),
        (
            '{"user": null, "item": "b", "rating": 1, "text": ""}',
            r"'user': None is not text or a whole number",
        ),
        ('{"user": "a", "item": "b", "rating": "1", "text": ""}', r"'rating': '1' is not a finite"),
        ('{"user": "a", "item": "b", "rating": NaN, "text": ""}', r"'rating': nan is not a finite"),
        ('{"user": "a", "item": "b", "rating": 1, "text": 2}', r"line 2, 'text': 2 is not text"),
        (
            '{"user": "a", "item": 7, "rating": 1, "text": ""}',
            r"'item': 7 is a number, and the f",
        ),
    ],
)
def test_a_malformed_line_of_json_is_named(folder, line, message):
    file = folder / "reviews.jsonl"
    file.write_text(f'{{"user": "a", "item": "b", "rating": 1, "text": "rye"}}\n{line}\n')
    with pytest.raises(LogError, match=message):
        read_reviews(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("\n\n", r"keyphrases\.txt has no keyphrases"),
        ("roast\nRye\n", r"line 2: 'Rye' cannot occur in a cleaned text"),
        ("r&b\n", r"line 1: 'r&b' cannot occur in a cleaned text"),
        ("dark  rye\n", r"line 1: 'dark  rye' cannot occur in a cleaned text"),
        ("rye\nmalt\nrye\n", r"line 3: 'rye' occurs twice"),
        ("rye\n' rye '\n", r"line 2: ' rye ' occurs twice"),
        ("rye\nthin\n", r"line 2: 'thin' cannot .* 'thin' is a stop word"),
        ("not good\n", r"line 1: 'not good' cannot .* 'not' is a stop word"),
        ("' of rye'\n", r"line 1: ' of rye' cannot .* 'of' is a stop word"),
    ],
)
def test_malformed_keyphrases_are_named(folder, content, message):
    (folder / "keyphrases.txt").write_text(content)
    with pytest.raises(LogError, match=message):
        read_reviews(folder)


def test_a_keyphrase_in_no_text_is_named_with_the_counts_of_all(folder):
    (folder / "keyphrases.txt").write_text("zebra\nroast\n' rye '\n")
    with pytest.warns(UserWarning, match=r"'zebra' in none of the 4 texts .*: roast 2, rye 2, zeb"):
        reviews = read_reviews(folder)
    assert reviews.aspect_names == ("zebra", "roast", "rye")
    assert reviews.aspects.sum(axis=0).tolist() == [0, 2, 2]


def test_the_counts_of_all_aspects_are_printed(folder, capsys):
    files = [str(folder / "reviews.csv"), str(folder / "keyphrases.txt")]
    (folder / "keyphrases.txt").write_text("zebra\nroast\n' rye '\n")
    assert main(files) == 0
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert printed == [["4", "texts"], ["0", "zebra"], ["2", "roast"], ["2", "rye"]]
    (folder / "keyphrases.txt").write_text("thin\n")
    assert main(files) == main(files[:1]) == 2
    assert "'thin' is a stop word" in capsys.readouterr().err


def test_quotation_marks_keep_spaces(tmp_path):
    file = tmp_path / "phrases.txt"
    file.write_text("' rye '\n\" red\"\n  roast  \n")
    assert read_keyphrases(file) == (" rye ", " red", "roast")


def test_missing_files_are_named(folder):
    (folder / "keyphrases.txt").unlink()
    with pytest.raises(LogError, match=r"keyphrases\.txt does not exist"):
        read_reviews(folder)
    with pytest.raises(LogError, match="has no sentiments"):
        read_reviews(folder, positive_only=True)
    (folder / "reviews.csv").unlink()
    with pytest.raises(LogError, match=r"the layout of .* is not recognised"):
        read_reviews(folder)
    with pytest.raises(LogError, match=r"nowhere does not exist"):
        read_reviews(folder / "nowhere")


def test_attributes_of_items_are_read(data_dir):
    reviews = read_reviews(data_dir / "factcrs_lastfm", seed=1)
    assert (len(reviews), reviews.num_aspects) == (72_000, 33)
    assert (reviews.num_users, reviews.num_items) == (1_800, 1_485)
    sizes = [len(reviews.rows(part)) for part in ("train", "valid", "test")]
    assert sizes == [68_400, 1_800, 1_800]
    with pytest.raises(LogError, match="has no ratings; remove min_rating"):
        read_reviews(data_dir / "factcrs_lastfm", min_rating=4)
