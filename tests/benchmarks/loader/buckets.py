"""From a bucket: syngrasp against zarr-python over obstore, on a real S3 server of this machine. Wall clock."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from syngrasp import dataset
from syngrasp.records import Slot
from tests.benchmarks.bench_dataset import textured
from tests.benchmarks.loader.frames import STATES
from tests.benchmarks.loader.goals import goal
from tests.dataset.synthetic import at_slot, make_episode

BUCKET = "bench-loader"
CONCURRENCY = 16  # requests at once: the threads of syngrasp's reader, and what zarr-python is set to
FRAMES, EPISODES = 60, 4
BATCH, BATCHES, ROUNDS = 32, 4, 3
ARRAYS = ("images", *STATES)
Read = Callable[[NDArray[Any]], Any]


def run() -> None:
    """Prints the table; a line where there is no server."""
    try:
        with _server() as log:
            _compare(log)
    except (ImportError, OSError) as problem:
        print(f"skipped: from a bucket ({problem})", flush=True)


@contextmanager
def _server() -> Iterator[IO[str]]:
    """moto's S3 server with an empty bucket, and its log, in which every request is a line."""
    import boto3

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    os.environ |= {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        try:
            _wait_for(endpoint, server)
            boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=BUCKET)
            yield log
        finally:
            server.terminate()
            server.wait(10)


def _wait_for(endpoint: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=5).close()
            return
        except OSError:
            time.sleep(0.25)
    raise OSError("the S3 server of moto does not start: pip install 'moto[server]'")


def _write() -> tuple[dataset.Dataset, str]:
    """A shard of grainy pictures in the bucket: moto reads all of an object for each range
    of it, so it is a small one."""
    url = f"s3://{BUCKET}/data"
    dataset.create_dataset(url, recipe={}, catalog_hash="", seed=0, shards=1, episodes_per_shard=EPISODES)
    episode = textured(make_episode(Slot(0, 0), frames=FRAMES, size=256, extras=False))
    with dataset.ShardWriter(url, 0, max_objects=8) as writer:
        for k in range(EPISODES):
            writer.append(at_slot(episode, Slot(0, k)))
        assert dataset.commit_shard(url, writer.finish(), stages={})
    return dataset.open(url, arrays=ARRAYS), url


def _compare(log: IO[str]) -> None:
    ds, url = _write()
    frames = len(ds)
    readers = {"syngrasp": ds.read, "zarr-python + obstore": _zarr(url, ds.commits[0].folder)}
    ours, theirs = (read(np.array([0, frames // 2, frames - 1])) for read in readers.values())
    for name in ARRAYS:
        np.testing.assert_array_equal(ours[name], theirs[name])
    random = np.random.default_rng(0)
    times: dict[tuple[str, str], list[float]] = {}
    requests: dict[tuple[str, str], float] = {}
    for _ in range(ROUNDS):
        scattered = random.permutation(frames)[: BATCH * BATCHES].reshape(BATCHES, BATCH)
        start = int(random.integers(frames - BATCH * BATCHES))
        buffered = (start + random.permutation(BATCH * BATCHES)).reshape(BATCHES, BATCH)
        for kind, batches in (("random frames, one by one", scattered.reshape(-1, 1)[: 2 * BATCH]),
                              ("random frames", scattered), ("shuffled epoch", buffered)):  # fmt: skip
            for row, read in readers.items():
                before, clock = _count(log), time.perf_counter()
                for batch in batches:
                    read(batch)
                taken = (time.perf_counter() - clock) / batches.size
                times.setdefault((kind, row), []).append(taken)
                requests[kind, row] = (_count(log) - before) / batches.size
    print(f"\nfrom S3 (moto on loopback), a shard of {frames:,} frames, {CONCURRENCY} requests at once; batches of")
    print(f"{BATCH}; the epoch's order is shuffled among {BATCH * BATCHES} neighbours; wall clock, {ROUNDS} rounds;")
    print("one by one: a frame after the other is waited for. The shard is small, so that obstore joins the ranges of")
    print("Dataset.read into few requests, which it does not where a batch's frames lie more than 1 MiB apart\n")
    print(f"{'':52}{'ms/frame':>9}{'spread %':>9}{'requests/frame':>15}{'ratio':>7}")
    for (kind, row), values in times.items():
        spread = 100 * (max(values) - min(values)) / np.median(values)
        ratio = float(np.median(np.array(values) / times[kind, "syngrasp"]))
        label = f"{kind}, {row}"
        print(f"{label:52}{1e3 * np.median(values):9.2f}{spread:9.1f}{requests[kind, row]:15.2f}{ratio:7.2f}")
    print()
    for kind in dict.fromkeys(kind for kind, _ in times):
        ratios = np.array(times[kind, "zarr-python + obstore"]) / times[kind, "syngrasp"]
        slower = float(np.median(ratios))
        goal(slower >= 3.0, f"S3, {kind}: zarr-python + obstore takes {slower:.2f} times as long (goal: at least 3)")


def _zarr(url: str, folder: str) -> Read:
    import zarr
    import zarr.api.asynchronous as asynchronous
    from obstore.store import from_url
    from zarr.core.sync import sync
    from zarr.storage import ObjectStore

    import syngrasp.dataset.jpeg_codec  # noqa: F401 (registers the codec where the package is not installed)

    zarr.config.set({"async.concurrency": CONCURRENCY, "threading.max_workers": CONCURRENCY})
    store = ObjectStore(from_url(f"{url}/{folder}/frames.zarr"), read_only=True)
    group = sync(asynchronous.open_group(store, mode="r"))

    async def read(batch: NDArray[Any]) -> dict[str, Any]:
        limit = asyncio.Semaphore(CONCURRENCY)

        async def row(array: Any, i: int) -> Any:
            async with limit:
                return await array.getitem(i)

        async def rows(name: str) -> Any:  # oindex reads the index once, yet takes twice as long
            array = await group.getitem(name)
            return np.stack(await asyncio.gather(*(row(array, i) for i in batch.tolist())))

        return dict(zip(ARRAYS, await asyncio.gather(*(rows(name) for name in ARRAYS)), strict=True))

    return lambda batch: sync(read(batch))


def _count(log: IO[str]) -> int:
    log.flush()
    return sum(b"HTTP/1.1" in line for line in Path(f"/proc/self/fd/{log.fileno()}").read_bytes().splitlines())
