import numpy as np
import pytest

from mmwsss.engine.ranks import map_over_ranks, run_on_ranks, sum_over_ranks
from mmwsss.structures import UserInputError


def square(number):
    return number * number


def counts(number):
    return np.array([1, number])


def refuse_three(number):
    if number == 3:
        raise UserInputError('the number is 3; choose another one')
    return number


def raised_by(function):
    try:
        function()
    except Exception as error:
        return type(error), str(error)
    return None


def test_results_come_in_order_on_one_process_and_on_each_of_three(on_ranks):
    numbers = range(7)  # is not divisible by three
    expected = [0, 1, 4, 9, 16, 25, 36]
    assert map_over_ranks(square, numbers) == expected
    assert on_ranks(3, lambda _: map_over_ranks(square, numbers)) == [expected] * 3


def test_sums_are_those_of_one_process_also_for_ranks_without_an_item(on_ranks):
    expected = [2, 9]
    assert sum_over_ranks(counts, [4, 5]).tolist() == expected
    assert on_ranks(3, lambda _: sum_over_ranks(counts, [4, 5]).tolist()) == [expected] * 3


def test_a_mistake_on_one_rank_is_the_same_mistake_on_all(on_ranks):
    def on_rank(_):
        return raised_by(lambda: map_over_ranks(refuse_three, [1, 2, 3, 4]))

    expected = (UserInputError, 'the number is 3; choose another one')
    assert on_ranks(2, on_rank) == [expected] * 2


def test_any_other_error_stops_all_ranks_and_keeps_its_type_where_it_happened(on_ranks):
    def on_rank(rank):
        return raised_by(lambda: run_on_ranks(lambda: 1 // (1 - rank)))

    healthy, failed = on_ranks(2, on_rank)
    assert failed[0] is ZeroDivisionError
    assert healthy[0] is RuntimeError
    assert 'rank 1 failed: ZeroDivisionError' in healthy[1]


def test_without_a_launcher_an_error_passes_unchanged():
    with pytest.raises(ZeroDivisionError):
        map_over_ranks(lambda number: 1 // number, [0])
