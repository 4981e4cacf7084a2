"""All of it, for real: it comes up and is proven, workers share the shards, and whatever happens to them loses and
repeats nothing. The tests of this file go through one run, in order."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.containers.compose import Compose, docker, eventually, inspect

SHARDS = 6


def owners(compose: Compose) -> set[str | None]:
    return set(compose.leases().values())


def worker_id(container: str) -> str:
    """Its host name."""
    return container[:12]


def test_it_comes_up_and_every_record_is_stored_once(compose: Compose) -> None:
    began = time.monotonic()
    compose.up(workers=1)
    up = time.monotonic() - began
    said = compose.report(1000)
    print(f"up after {up:.1f} s, all of 1,000 stored and proven after {time.monotonic() - began:.1f} s")
    assert "1,000 records" in said
    assert "everything holds" in said


def test_the_health_check_says_healthy(compose: Compose) -> None:
    (worker,) = compose.workers()
    eventually("healthy", lambda: inspect(worker)["State"]["Health"]["Status"] == "healthy", 60, compose)


def test_the_root_is_read_only_and_the_user_is_nobody_special(compose: Compose) -> None:
    (worker,) = compose.workers()
    aws = compose("ps", "--quiet", "aws").strip()
    for container in (worker, aws):
        look = (
            "id -u; touch /opt/articles/x /x /var/x 2>&1 | grep -c 'Read-only'; "
            "grep -E '^(CapEff|NoNewPrivs)' /proc/1/status"
        )
        user, refused, *status = docker("exec", container, "sh", "-c", look).split()
        assert (user, refused) == ("10001", "3")
        assert status == ["CapEff:", "0000000000000000", "NoNewPrivs:", "1"]
        # PID 1 is an init, not the program
        assert "init" in docker("exec", container, "cat", "/proc/1/comm")


def test_memory_stays_under_its_limit(compose: Compose) -> None:
    (worker,) = compose.workers()
    print("memory:", docker("stats", "--no-stream", "--format", "{{.MemUsage}}", worker).strip())
    assert not inspect(worker)["State"]["OOMKilled"]


def test_three_workers_share_the_shards(compose: Compose) -> None:
    compose.populate(3000, 60)  # leases are balanced by throughput: something must come
    compose.scale(3)
    ids = {worker_id(container) for container in compose.workers()}
    assert len(ids) == 3
    took = eventually("shared by three", lambda: owners(compose) == ids, 100, compose)
    print(f"three workers share {SHARDS} shards {took:.1f} s after the scaling")


def test_a_killed_worker_takes_its_leases_back_under_its_id(compose: Compose) -> None:
    victim = compose.workers()[0]
    held = {shard for shard, owner in compose.leases().items() if owner == worker_id(victim)}
    assert held
    docker("kill", "--signal", "KILL", victim)
    docker("start", victim)  # what an operator kills is not started again by the engine; what crashes is
    took = eventually("its shards again", lambda: reads_shards(victim), 60, compose)
    print(f"restart under the same id: it reads its shards again after {took:.1f} s")
    assert held & {shard for shard, owner in compose.leases().items() if owner == worker_id(victim)}


def test_a_worker_that_crashes_is_started_again(compose: Compose) -> None:
    victim = compose.workers()[0]
    before = inspect(victim)["RestartCount"]
    docker("exec", victim, "sh", "-c", "kill -KILL $(grep -lx java /proc/[0-9]*/comm | cut -d/ -f3)")
    eventually("restarted", lambda: inspect(victim)["RestartCount"] > before, 30, compose)
    took = eventually("its shards again", lambda: reads_shards(victim), 60, compose)
    print(f"crash of the daemon: its container is up again and reads its shards {took:.1f} s later")


def test_a_worker_that_is_stopped_ends_within_its_grace(compose: Compose) -> None:
    victim = compose.workers()[1]
    began = time.monotonic()
    docker("stop", "--time", "40", victim)
    took = time.monotonic() - began
    print(f"stopped in {took:.1f} s")
    assert took < 35
    assert inspect(victim)["State"]["ExitCode"] == 143
    docker("start", victim)


def test_after_a_scale_down_one_worker_has_it_all_and_nothing_is_lost_or_repeated(compose: Compose) -> None:
    compose.scale(1)
    (left,) = compose.workers()
    said = compose.report(4000, seconds=300)  # a killed leader leaves its lock for two minutes, fixed in KCL
    took = eventually("all with one", lambda: owners(compose) == {worker_id(left)}, 180, compose)
    print(f"one worker holds all shards {took:.1f} s after the report")
    assert "4,000 records" in said
    assert "everything holds" in said


def reads_shards(container: str) -> bool:
    """Whether a child of its own has published anything since its start: its state is on a tmpfs."""
    look = ["docker", "exec", container, "sh", "-c", "ls /run/articles/shards/*.json"]
    return subprocess.run(look, capture_output=True, timeout=60).returncode == 0


pytestmark = pytest.mark.timeout(600)
