"""One reader for all layouts: it looks at what is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recsim.conversation import AttributeData, read_attributes
from recsim.conversation.star import is_star
from recsim.critiquing.lines import part_files, read_lines
from recsim.critiquing.matrices import read_matrices
from recsim.critiquing.mining import read_texts
from recsim.critiquing.opinions import Opinions
from recsim.critiquing.reviews import AspectReviews
from recsim.errors import UserError

_TEXTS = ("reviews.csv", "reviews.jsonl", "reviews.parquet")
_PHRASES = "keyphrases.txt"


def read_reviews(
    path: str | Path,
    *,
    files: Sequence[str] | None = None,
    min_rating: float | None = None,
    core_u: int = 1,
    core_i: int = 1,
    positive_only: bool = False,
    seed: int = 0,
) -> AspectReviews:
    """Read reviews, choose among them, and split those of each user.

    ==============================================================  ================================
    path                                                            read by
    ==============================================================  ================================
    a folder with ``NAME_train.txt`` and ``NAME_test.txt``; or any  `recsim.critiquing.lines`
    other file, if it is no ``.npz``
    a folder with ``keyphrases.txt`` and ``reviews.csv``,           `recsim.critiquing.mining`
    ``reviews.jsonl`` or ``reviews.parquet``, or that file
    a folder of interactions and attributes                         `mentioning`
    a file ``.npz``, whose reviews are chosen and split already     `recsim.critiquing.matrices`
    ==============================================================  ================================

    Args:
        path: A file or a folder.
        files: Which files of a folder of the first kind, if not those.
        min_rating: Lowest rating that counts; None for all reviews.
        core_u: Reviews that a user must have.
        core_i: Reviews that an item must have; see `recsim.critiquing.opinions.Opinions.split`.
        positive_only: Whether a mention needs a positive sentiment, where there are sentiments.
        seed: Of the split.

    Raises:
        UserError: The path is nothing of the kind, a file is malformed, or an option does not
            suit it.
    """
    path = Path(path)
    if path.suffix == ".npz":
        if (files, min_rating, core_u, core_i, positive_only) != (None, None, 1, 1, False):
            raise UserError(
                f"{path} holds reviews that are chosen and split already; leave files, min_rating, "
                "core_u, core_i and positive_only out."
            )
        return read_matrices(path)
    opinions = _opinions(path, files, positive_only)
    return opinions.split(min_rating=min_rating, core_u=core_u, core_i=core_i, seed=seed)


def mentioning(data: AttributeData, source: str = "these data") -> Opinions:
    """Take interactions for reviews that mention all attributes of their item.

    Args:
        data: Interactions and attributes; their parts are not kept.
        source: What is read, for messages.
    """
    return Opinions(
        user=data.user,
        item=data.item,
        aspects=data.item_attributes[data.item],
        aspect_names=data.attribute_names,
        source=source,
        item_names={str(number): name for number, name in enumerate(data.item_names)},
        user_names={str(number): name for number, name in enumerate(data.user_names)},
    )


def from_attributes(data: AttributeData, *, seed: int = 0) -> AspectReviews:
    """Return interactions as reviews that mention all attributes of their item.

    Users and items without interactions are left out, and the interactions of each user split anew.

    Args:
        data: Interactions and attributes.
        seed: Of the split.
    """
    return mentioning(data).split(seed=seed)


def _opinions(path: Path, files: Sequence[str] | None, positive_only: bool) -> Opinions:
    if not path.exists():
        raise UserError(f"{path} does not exist.")
    folder = path if path.is_dir() else path.parent
    texts = [file for file in map(folder.joinpath, _TEXTS) if file.is_file()]
    if path in texts:
        texts = [path]
    elif files is not None or not path.is_dir() or part_files(path):
        return read_lines(path, files=files, positive_only=positive_only)
    if positive_only:
        raise UserError(f"{path} tells no sentiments; leave positive_only out.")
    if len(texts) > 1:
        raise UserError(f"{path} holds {' and '.join(one.name for one in texts)}; name one.")
    if texts:
        return read_texts(texts[0], folder / _PHRASES)
    if is_star(path) or (path / "interaction.csv").is_file():
        return mentioning(read_attributes(path), str(path))
    raise UserError(
        f"{path} is none of the folders that can be read: NAME_train.txt and NAME_test.txt; "
        f"{_PHRASES} and one of {', '.join(_TEXTS)}; interaction.csv with attributes."
    )
