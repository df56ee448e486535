from gateway.store.clients import edge_client
from jobs.cron import Cron, JsonCronJob
from jobs.queue import QUEUE, SWEEP
from jobs.sweep import INTERVAL, sweep


def cron(client):
    made = Cron(client, logging_level="ERROR")
    made.get_jobs().append(JsonCronJob(QUEUE, sweep, interval=INTERVAL, ttl=2 * INTERVAL))
    return made


def test_cron_enqueues_a_sweep_that_our_workers_can_read(store, queued):
    cron(store).enqueue_jobs()

    assert [(SWEEP,)] == queued()


def test_sweep_that_nobody_takes_does_not_pile_up(store):
    made = cron(store)
    made.enqueue_jobs()
    made.enqueue_jobs()

    [key] = store.keys("rq:job:*")
    assert 0 < store.ttl(key) <= 2 * INTERVAL


def test_outage_of_the_queue_is_outlived():
    client = edge_client("unix:///nowhere/socket")
    made = cron(client)

    assert [] == made.enqueue_jobs()
    made.register_birth()
    made.heartbeat()
    assert made.calculate_sleep_interval() <= INTERVAL
    client.close()
