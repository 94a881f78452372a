import pytest

from recsim.errors import LogError
from recsim.log import make_reader, read_log
from recsim.log.readers.movielens import read_movielens

MOVIES = 'movieId,title,genres\n10,"Heat, the (1995)",Crime|Action\n2,Jumanji,(no genres listed)\n'
RATINGS = "userId,movieId,rating,timestamp\n7,10,4.0,86400\n7,2,3.5,5\n3,10,0.5,90000\n"


@pytest.fixture
def movielens(tmp_path):
    """A data set in the layout of MovieLens: two users, two films."""
    (tmp_path / "movies.csv").write_text(MOVIES)
    (tmp_path / "ratings.csv").write_text(RATINGS)
    return tmp_path


def test_users_films_and_genres_are_numbered(movielens):
    ratings = read_movielens(movielens)
    assert ratings.user.tolist() == [1, 1, 0]
    assert ratings.item.tolist() == [1, 0, 1]
    assert ratings.item_features.tolist() == [[0, 0], [1, 1]]  # Action, Crime
    assert ratings.item_groups.tolist() == [2, 1]  # none, Crime


def test_the_log_is_in_the_order_of_time(movielens):
    log = read_log("movielens", path=movielens)
    assert log.slate[:, 0].tolist() == [0, 1, 1]
    assert log.clicks[:, 0].tolist() == [0, 1, 0]
    assert log.day.tolist() == [0, 1, 1]
    assert not log.anonymous
    assert log.propensity is None
    assert read_log("movielens", path=movielens, threshold=3.5).clicks.sum() == 2


def test_names_are_the_ids_of_the_files(movielens):
    (movielens / "ratings.csv").write_text(RATINGS + "7,10,3.0,5\n7,10,2.0,6\n")
    for options in ({}, {"slates": "day", "censored": "keep"}):
        log = read_log("movielens", path=movielens, **options)
        assert list(log.item_names) == [2, 10]
        assert list(log.user_names) == [3, 7]
    log = read_log("movielens", path=movielens, k_core=1)
    assert (list(log.item_names), list(log.user_names)) == ([2, 10], [7])


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("ratings.csv", RATINGS + "3,99,4.0,1\n", r"ratings.csv, line 5.*'movieId': 99 is not in"),
        ("ratings.csv", RATINGS + "3,2,5.5,1\n", r"line 5, column 'rating': 5.5 is not a rating"),
        ("ratings.csv", RATINGS + "3,2,good,1\n", r"line 5, column 'rating': 'good' is not a fin"),
        ("movies.csv", MOVIES + "2,Again,Drama\n", r"movies.csv, line 4.*2 is listed twice"),
    ],
)
def test_a_malformed_row_is_refused_with_line_and_column(movielens, file, text, message):
    (movielens / file).write_text(text)
    with pytest.raises(LogError, match=message):
        read_movielens(movielens)


def test_a_missing_file_says_where_to_get_it(tmp_path):
    with pytest.raises(LogError, match=r"Get a MovieLens data set"):
        read_movielens(tmp_path)


def test_the_real_data_set(data_dir):
    ratings = read_movielens(data_dir / "ml_latest_small")
    assert (len(ratings), ratings.num_users, ratings.num_items) == (100_836, 610, 9742)
    assert ratings.item_features.shape == (9742, 19)
    assert len(set(ratings.item.tolist())) == 9724


def test_a_day_of_ratings_can_be_a_slate(movielens):
    (movielens / "ratings.csv").write_text(RATINGS + "7,2,1.0,90001\n")
    reader = make_reader("movielens", path=movielens, slates="day", return_days=1, slate_size=2)
    log, counts = reader.read_counted()
    assert log.user.tolist() == [1]  # user 7 on the first day; the other windows pass the end
    assert log.slate.tolist() == [[0, -1]]
    assert log.feedback["rating"].tolist() == [3.5]
    assert log.feedback["return"].tolist() == [1.0]
    assert (counts["rows"], counts["sessions"], counts["censored"]) == (4, 3, 2)
    kept = read_log("movielens", path=movielens, slates="day", return_days=1, censored="keep")
    assert kept.slate[:, :2].tolist() == [[0, -1], [1, 0], [1, -1]]
    assert kept.clicks[:, :2].tolist() == [[0, 0], [1, 0], [0, 0]]


def test_a_threshold_beyond_the_scale_is_refused(movielens):
    with pytest.raises(LogError, match=r"threshold: must be less than or equal to 5"):
        make_reader("movielens", path=movielens, threshold=9)


def test_settings_of_days_are_refused_for_single_ratings(movielens):
    with pytest.raises(LogError, match=r"'slate_size' has no effect without 'slates: day'"):
        make_reader("movielens", path=movielens, slate_size=3)


def test_users_and_films_with_few_ratings_can_be_left_out(movielens):
    # Film 2 has one rating of user 7; user 3 has three ratings of film 10 and of another one.
    rows = "3,10,4,1\n3,11,4,2\n3,10,4,3\n7,10,1,4\n7,11,4,5\n7,2,4,6\n7,10,4,7\n"
    (movielens / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + rows)
    (movielens / "movies.csv").write_text(MOVIES + "11,Up,Drama\n12,Down,Drama\n")
    log, counts = make_reader("movielens", path=movielens, k_core=2).read_counted()
    assert log.problem.num_items == 2
    assert log.problem.item_features.tolist() == [[1, 1, 0], [0, 0, 1]]  # Heat, Up
    assert log.slate[:, 0].tolist() == [0, 1, 0, 0, 1, 0]
    assert log.time.tolist() == [1, 2, 3, 4, 5, 7]
    assert counts["events outside the 2-core"] == 1
    assert (counts["items"], counts["items left"]) == (3, 2)
    with pytest.raises(LogError, match="'k_core' has no effect with 'slates: day'"):
        make_reader("movielens", path=movielens, k_core=2, slates="day")


def test_the_core_of_the_real_data_set(data_dir):
    folder = data_dir / "ml_latest_small"
    log, _ = make_reader("movielens", path=folder, k_core=5).read_counted()
    assert (len(log), len(log.user_features), log.problem.num_items) == (90_274, 610, 3650)
