"""What becomes of a message: when it is tried again, when it is dead, whose turn it is."""

import pytest

from event_pipelines.plans.capacity.distributions import Fixed
from event_pipelines.plans.capacity.queues import (
    MOST_IN_FLIGHT,
    FairQueue,
    FifoQueue,
    Lot,
    SimulatedQueue,
)
from event_pipelines.plans.capacity.stage import Bound
from support.simulated import Simulated


@pytest.mark.parametrize("max_receives", [1, 2, 5])
def test_a_message_is_dead_when_its_last_try_is_over_and_not_before(max_receives: int) -> None:
    run = Simulated(visibility=100.0, max_receives=max_receives)
    run.send(3, poison=True)
    dead_at = 100.0 * max_receives

    run.run(until=dead_at - 0.5)
    assert (run.counts.dead, run.counts.received) == (0, 3 * max_receives)

    run.run()
    assert (run.counts.dead, run.counts.received, run.counts.last) == (3, 3 * max_receives, dead_at)


def test_a_failure_comes_back_alone_when_its_visibility_ends() -> None:
    run = Simulated(batch=10, visibility=60.0, max_receives=5)
    run.send(9)
    run.send(1, poison=True)

    run.run(until=59.0)
    assert (run.counts.done, run.stage.inside) == (9, 1)

    run.run(until=62.0)
    assert run.counts.received == 11


def test_a_batch_that_takes_too_long_is_tried_again_as_a_whole() -> None:
    run = Simulated(batch=10, timeout=5.0, visibility=30.0, max_receives=2)
    run.send(10)

    counts = run.run()

    assert (counts.timeouts, counts.dead, counts.done) == (2, 10, 0)
    assert counts.billed_seconds == pytest.approx(10.0)
    assert counts.last == pytest.approx(60.0)


def test_the_oldest_message_stops_ageing_with_its_third_try() -> None:
    run = Simulated(visibility=100.0, max_receives=10)
    run.send(1, poison=True)

    assert run.run().oldest == pytest.approx(201.0)


def test_what_is_too_old_is_deleted_and_counted() -> None:
    run = Simulated(places=1, queue=SimulatedQueue(retention=50.0))
    run.send(100)

    counts = run.run()

    assert counts.done == 50
    assert run.queue.expired == 50
    assert run.stage.inside == 0


def test_a_window_waits_for_a_full_batch_and_no_longer() -> None:
    run = Simulated(batch=10, per_message=Fixed(0.0), per_batch=Fixed(1.0), window=20.0)
    run.send(3)
    run.send(6, at=5.0)

    assert run.run().last == pytest.approx(21.0)
    assert run.counts.invocations == 1

    full = Simulated(batch=10, per_message=Fixed(0.0), per_batch=Fixed(1.0), window=20.0)
    full.send(3)
    full.send(7, at=5.0)
    assert full.run().last == pytest.approx(6.0)


def test_no_queue_has_more_in_flight_than_sqs_allows() -> None:
    run = Simulated(places=1000, batch=1000, window=1.0, per_message=Fixed(0.01))
    run.send(300_000)

    run.run(until=1.0)

    assert run.queue.in_flight == MOST_IN_FLIGHT
    run.run()
    assert run.counts.done == 300_000
    assert Bound.FLIGHT in run.counts.blocked


def test_a_fifo_queue_of_one_group_feeds_one_function_at_a_time() -> None:
    run = Simulated(places=50, batch=10, queue=FifoQueue(groups=1))
    run.send(100)

    counts = run.run()

    assert counts.most_busy == 1
    assert counts.last == pytest.approx(100.0)
    assert counts.blocked[Bound.GROUPS] == pytest.approx(90.0)


def test_a_failure_stops_its_group_until_it_is_done_or_dead() -> None:
    run = Simulated(places=50, visibility=30.0, max_receives=2, queue=FifoQueue(groups=1))
    run.send(1, poison=True)
    run.send(5, at=0.5)

    run.run(until=59.0)
    assert run.counts.done == 0

    counts = run.run()
    assert (counts.done, counts.dead) == (5, 1)
    assert counts.last == pytest.approx(65.0)


def test_a_fair_queue_lets_the_quiet_go_first() -> None:
    fair, plain = FairQueue(), SimulatedQueue()
    waits = []
    for queue in (fair, plain):
        run = Simulated(places=40, queue=queue)
        run.send(10_000, tenant=0)
        for second in range(10, 60, 5):
            run.send(1, at=float(second), tenant=1)
        counts = run.run()
        assert counts.done == 10_010
        waits.append(counts.slowest_of[1])

    assert waits[0] <= 2.0
    assert waits[1] > 100.0


def test_a_fair_queue_without_a_flood_serves_in_order() -> None:
    queue = FairQueue()
    for number, tenant in enumerate([3, 1, 2]):
        queue.put(Lot(0.0, 0.0, 1, tenant=tenant), float(number))

    assert [lot.tenant for lot in queue.take(3, 5.0)] == [3, 1, 2]
