"""Events of users, one a row or one line per user."""

import gzip

import numpy as np
import pytest

from recsim.errors import LogError
from recsim.log import SlateLog, make_reader

TABLE = """\
timestamp,note,item,user
2024-03-01 10:00:00,x,tea,bo
2024-03-01 09:00:00,x,salt,bo
2024-03-02 08:00:00,x,tea,al
2024-03-01 11:00:00,x,rice,bo
2024-03-02 09:00:00,x,rice,al
2024-03-02 09:00:00,x,rice,al
2024-03-05 09:00:00,x,tea,al
2024-03-05 09:00:00,x,tea,cy
"""


def read(path, name="events", **options):
    return make_reader(name, path=path, **options).read_counted()


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(TABLE)
    return path


def sequences(log):
    return {
        user: log.slate[log.by_user][log.user[log.by_user] == user, 0].tolist()
        for user in range(len(log.user_features))
    }


def test_a_table_of_events(table):
    log, counts = read(table)
    # Items by id: rice 0, tea 1 (salt is bo's); users by id: al 0, bo 1; cy has one event.
    assert log.problem.num_items == 3
    assert sequences(log) == {0: [2, 0, 2], 1: [1, 2, 0]}
    assert log.slate.shape == (6, 1)
    assert log.clicks.all()
    assert (np.diff(log.time) >= 0).all()
    assert log.time[0] == 1709283600  # 2024-03-01 09:00:00 UTC
    assert log.day.tolist() == [0, 0, 0, 1, 1, 4]
    assert log.session.tolist() == [0, 0, 0, 0, 0, 1]
    assert log.step.tolist() == [0, 1, 2, 0, 1, 0]
    assert counts == {
        "events": 8,
        "users": 3,
        "items": 3,
        "duplicates": 1,
        "events of users with fewer than 3": 1,
        "events left": 6,
        "users left": 2,
        "items left": 3,
    }


def test_the_order_of_rows_and_columns_does_not_matter(table, tmp_path):
    first, *rows = TABLE.splitlines()
    other = tmp_path / "other.csv"
    lines = [first, *rows[::-1]]
    lines = [";".join(line.split(",")[::-1]) for line in lines]
    other.write_text("\n".join(lines))
    one, two = read(table)[0], read(other, separator=";")[0]
    for name in ("user", "slate", "time", "day"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_numbers_as_ids_are_sorted_as_numbers(tmp_path):
    path = tmp_path / "events.csv"
    rows = [(10, 7, 3), (10, 100, 1), (10, 20, 2), (9, 7, 1), (9, 20, 2), (9, 7, 3)]
    path.write_text("u,i,t\n" + "\n".join(",".join(map(str, row)) for row in rows))
    log, _ = read(path, user="u", item="i", timestamp="t")
    assert sequences(log) == {0: [0, 1, 0], 1: [2, 1, 0]}


def test_the_core_is_repeated_until_nothing_changes(tmp_path):
    path = tmp_path / "events.csv"
    # Without item d, which is rare, user 3 has two events; without user 3, item c is rare.
    rows = [*("1a", "1b", "1a"), *("2a", "2b", "2b"), *("3a", "3c", "3d"), *("1c", "2e")]
    body = "\n".join(f"{row[0]},{row[1]},{time}" for time, row in enumerate(rows))
    path.write_text("user,item,timestamp\n" + body)
    log, counts = read(path, k_core=3)
    assert sequences(log) == {0: [0, 1, 0], 1: [0, 1, 1]}
    assert counts["events outside the 3-core"] == 5
    assert (counts["events"], counts["events left"]) == (11, 6)
    with pytest.raises(LogError, match="no event is left: there are no users and items with 9"):
        read(path, k_core=9)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bo,tea,", r"line 4, column 'timestamp': the entry is missing"),
        ("bo,tea,soon", r"line 4, column 'timestamp': 'soon' is not a time|line 4.*'soon'"),
        (",tea,2024-03-01", r"line 4, column 'user'"),
        ("bo,,2024-03-01", r"line 4, column 'item'"),
        ("bo,tea", r"line 4: 2 fields, but the header names 3"),
    ],
)
def test_a_malformed_row_is_named(tmp_path, line, message):
    path = tmp_path / "events.csv"
    path.write_text(f"user,item,timestamp\nbo,tea,2024-02-01\nbo,salt,2024-02-02\n{line}\n")
    with pytest.raises(LogError, match=message):
        read(path)


def test_a_missing_column_is_named(table):
    with pytest.raises(LogError, match=r"has no column 'time'. Did you mean 'timestamp'"):
        read(table, timestamp="time")


def test_a_missing_file_is_compared_with_those_beside_it(table):
    with pytest.raises(LogError, match=r"evnts.csv does not exist. Did you mean 'events.csv'\?$"):
        read(table.with_name("evnts.csv"))
    with pytest.raises(LogError, match=r"events.csv does not exist.$"):
        read(table.parent / "nowhere" / "events.csv")


def test_a_file_without_a_header_is_shown(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("bo,tea,3\nbo,salt,4\n")
    with pytest.raises(
        LogError, match=r"no column 'user'. Its first line, which must name the columns, is 'bo"
    ):
        read(path)


def test_times_survive_saving(table, tmp_path):
    log, _ = read(table)
    log.save(tmp_path / "log")
    np.testing.assert_array_equal(SlateLog.load(tmp_path / "log").time, log.time)
    # A log without times has none.
    plain = make_reader("table", path=table, columns={"item": "item", "feedback": {"x": "user"}})
    with pytest.raises(LogError):
        plain.read()


def test_a_line_of_items_per_user(tmp_path):
    path = tmp_path / "sequences.txt"
    path.write_text("2 10 9 10\n\n1\t9 8  10\n3 9 9\n")
    log, counts = read(path, "sequences")
    # Items 8, 9, 10; repeats stay; user 3 has two events.
    assert sequences(log) == {0: [1, 0, 2], 1: [2, 1, 2]}
    assert log.time is None
    assert counts["events of users with fewer than 3"] == 2
    packed = tmp_path / "sequences.txt.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert sequences(read(packed, "sequences")[0]) == sequences(log)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no lines"),
        ("1 2 3 4\n2 3 4 5\n1 4 5 6\n", "line 3: the user '1' has line 1 already"),
        ("1 1\n1 2\n", "line 2: the user '1' has line 1 already: .* with 'events'"),
        ("1 2\n", r"sequences\.txt: no event is left: there are no users with 3 events"),
        ("1\n", r"sequences\.txt: there are no events"),
        ("1 2 3 4\n\n2,3,4,5\n", "line 3: '2,3,4,5' is not an id: separate fields by spaces"),
        ("1 2 3 4\n2 3;4;5\n", "line 2: '3;4;5' is not an id"),
        ("1 2 3 4\n2 3 nan 5\n", "line 2: 'nan' is not an id, but stands for a missing one"),
        ("1 2 3 4\n2 3 1.2E+07 5\n", "line 2: '1.2E.07' is a number that has lost digits"),
    ],
)
def test_files_of_lines_that_cannot_be_read(tmp_path, text, message):
    path = tmp_path / "sequences.txt"
    path.write_text(text)
    with pytest.raises(LogError, match=message):
        read(path, "sequences")
    with pytest.raises(LogError, match="does not exist"):
        read(tmp_path / "nowhere.txt", "sequences")
