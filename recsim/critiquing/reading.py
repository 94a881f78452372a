"""Reader of reviews in any supported layout, which it recognises by the files that are present."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recsim.conversation.attributes import AttributeData
from recsim.conversation.lastfm import has_attributes, read_attributes
from recsim.critiquing.aspect_lists import part_files, read_aspect_lists
from recsim.critiquing.mining import read_texts
from recsim.critiquing.npz import read_npz
from recsim.critiquing.raw_reviews import RawReviews
from recsim.critiquing.reviews import AspectReviews
from recsim.errors import LogError, listed

_TEXTS = ("reviews.csv", "reviews.jsonl", "reviews.parquet")
_PHRASES = "keyphrases.txt"


def read_reviews(
    path: str | Path,
    *,
    files: str | Sequence[str] | None = None,
    min_rating: float | None = None,
    core_u: int = 1,
    core_i: int = 1,
    positive_only: bool = False,
    seed: int = 0,
) -> AspectReviews:
    """Read reviews, filter them, and split those of each user.

    ==============================================================  ================================
    path                                                            reader
    ==============================================================  ================================
    a folder with ``NAME_train.txt`` and ``NAME_test.txt``; or any  `recsim.critiquing.aspect_lists`
    other file that is not ``.npz``
    a folder with ``keyphrases.txt`` and ``reviews.csv``,           `recsim.critiquing.mining`
    ``reviews.jsonl`` or ``reviews.parquet``, or that file
    a folder of interactions and attributes                         `recsim.conversation.lastfm`
    an ``.npz`` file of reviews that are already filtered and       `recsim.critiquing.npz`
    split
    ==============================================================  ================================

    Args:
        path: A file or a folder.
        files: Files to read of a folder of the first kind, instead of the default ones.
        min_rating: Lowest rating that counts; None for all reviews.
        core_u: Reviews that a user must have.
        core_i: Reviews that an item must have; see
            `recsim.critiquing.raw_reviews.RawReviews.split`.
        positive_only: Whether an aspect counts as mentioned only with a positive sentiment, in
            layouts that have sentiments.
        seed: Seed of the split.

    Raises:
        LogError: If the layout is not recognised, a file is malformed, or an option does not apply
            to the layout.
    """
    path = Path(path)
    if path.suffix == ".npz":
        if (files, min_rating, core_u, core_i, positive_only) != (None, None, 1, 1, False):
            raise LogError(
                f"{path} holds reviews that are already filtered and split; remove files, "
                "min_rating, core_u, core_i and positive_only."
            )
        return read_npz(path)
    reviews = _raw_reviews(path, files, positive_only)
    return reviews.split(min_rating=min_rating, core_u=core_u, core_i=core_i, seed=seed)


def from_attributes(data: AttributeData, *, seed: int = 0) -> AspectReviews:
    """Treat interactions as reviews that mention all attributes of their item.

    Users and items without interactions are dropped, and the interactions of each user are split
    again.

    Args:
        data: Interactions and attributes.
        seed: Seed of the split.
    """
    return _as_reviews(data, "the data").split(seed=seed)


def _as_reviews(data: AttributeData, source: str) -> RawReviews:
    return RawReviews(
        user=data.user,
        item=data.item,
        aspects=data.item_attributes[data.item],
        aspect_names=data.attribute_names,
        source=source,
        item_names={str(number): name for number, name in enumerate(data.item_names)},
        user_names={str(number): name for number, name in enumerate(data.user_names)},
    )


def _raw_reviews(path: Path, files: str | Sequence[str] | None, positive_only: bool) -> RawReviews:
    if not path.exists():
        raise LogError(f"{path} does not exist.")
    folder = path if path.is_dir() else path.parent
    texts = [file for file in map(folder.joinpath, _TEXTS) if file.is_file()]
    if path in texts:
        texts = [path]
    elif files is not None or not path.is_dir() or part_files(path):
        return read_aspect_lists(path, files=files, positive_only=positive_only)
    if positive_only:
        raise LogError(f"{path} has no sentiments; remove positive_only.")
    if len(texts) > 1:
        names = listed(file.name for file in texts)
        raise LogError(f"{path} holds {names}; give the path of one of them.")
    if texts:
        return read_texts(texts[0], folder / _PHRASES)
    if has_attributes(path):
        return _as_reviews(read_attributes(path), str(path))
    raise LogError(
        f"the layout of {path} is not recognised. It must hold NAME_train.txt and NAME_test.txt; "
        f"or {_PHRASES} and one of {', '.join(_TEXTS)}; or interaction.csv with attributes."
    )
