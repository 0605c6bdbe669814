"""Speed of reading a dataset for training, against the loaders people use: same pictures, same JPEGs, same states.

Every reader is a process of its own on the same core; they take turns, round by round, so that other work on the
machine slows all of them. Costs are CPU time per frame (two pictures decoded, and states), children included, the
page cache warm. What counts are the ratios.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from syngrasp import dataset
from tests.benchmarks.loader import buckets, data, epochs
from tests.benchmarks.loader.environments import python_for
from tests.benchmarks.loader.goals import goal
from tests.benchmarks.loader.workers import Worker, WorkerFailed, write
from tests.benchmarks.peers import PeersMissing

OWN = {
    "JPEG decode bound": "decode",
    "the same, buffers aligned to 32 bytes": "decode:aligned",
    "syngrasp ds[i]": "ours:item",
    "syngrasp ds.read of 64": "ours:batch",
    "syngrasp ds.window, 4 + 2, stride 1": "ours:window-1",
    "syngrasp ds.window, 4 + 2, stride 3": "ours:window-3",
    "syngrasp ds.read of 64, 4 + 2, stride 1": "ours:batch-1",
    "syngrasp ds.read of 64, 4 + 2, stride 3": "ours:batch-3",
    "syngrasp Loader, shuffled epoch": "ours:epoch",
}
PEERS = ("mds", "web_dataset", "lit_data", "tensor_store", "zarr_python", "zarrs_pipeline", "le_robot", "le_robot_pyav")
BOUND, ITEM, BATCH = "JPEG decode bound", "syngrasp ds[i]", "syngrasp ds.read of 64"
Costs = dict[str, list[float]]  # row → CPU time per frame of each round [µs]


def main() -> int:
    """Prints the tables and whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, help="a local dataset with pictures of 256 x 256; else one is rendered")
    parser.add_argument("--frames", type=int, default=data.FRAMES, help="repeat its shards until it has so many")
    parser.add_argument("--count", type=int, default=1024, help="frames per round and reader")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peers", default=",".join(PEERS), help="comma-separated; empty for none")
    parser.add_argument("--only", choices=("rows", "s3", "epochs"), help="one of the three parts")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-loader-") as folder:
        work = Path(folder)
        if asked.only in (None, "rows"):
            _rows(asked.dataset or data.rendered(), work, asked)
        if asked.only in (None, "s3"):
            buckets.run()
        if asked.only in (None, "epochs"):
            epochs.run(work)
    return 0


def _rows(source: Path, work: Path, asked: argparse.Namespace) -> None:
    root = data.at_least(source, work / "dataset", asked.frames)
    ds = dataset.open(root)
    print(data.described(ds, source), flush=True)
    data.lay_down(ds, work / "plain")
    workers: dict[str, Worker] = {}
    for row, reader in OWN.items():
        folder = work / "plain" if reader.startswith("decode") else root
        workers[row] = Worker(Path(sys.executable), reader, work / "plain", folder)
    for peer in filter(None, asked.peers.split(",")):
        module = import_module(f"tests.benchmarks.loader.readers.{peer}")
        try:
            python = python_for(module.REQUIREMENTS, beside_project=hasattr(module, "BESIDE_PROJECT"))
            folder = root if hasattr(module, "OURS") else work / peer
            if hasattr(module, "export"):
                module.export(root, folder)
            elif folder != root:
                write(python, peer, work / "plain", folder)
            found = module.library_path(python, work / "libraries") if hasattr(module, "library_path") else ""
            workers[module.NAME] = Worker(python, peer, work / "plain", folder, found)
        except (PeersMissing, WorkerFailed) as problem:
            print(f"skipped: {peer} ({problem})", flush=True)
    costs: Costs = {row: [] for row in workers}
    memory = {}
    for turn in range(-1, asked.rounds):  # round -1 warms up
        for row, worker in workers.items():
            told = worker.round(turn + 1, asked.count)
            memory[row] = told["memory_mib"]
            if turn >= 0:
                costs[row].append(told["cpu_us"])
    _print_rows(costs, workers, memory)
    for worker in workers.values():
        worker.close()
    _print_goals(costs)


def _print_rows(costs: Costs, workers: Mapping[str, Worker], memory: Mapping[str, float]) -> None:
    print(f"\n{'':42}{'frames':>8}{'of the':>8}{'slower':>9}{'spread':>8}{'open':>8}{'memory':>8}{'PSNR':>7}")
    print(f"{'':42}{'/CPU-s':>8}{'bound':>8}{'than ours':>10}{'%':>7}{'ms':>8}{'MiB':>8}{'dB':>7}")
    for row, values in costs.items():
        told: Mapping[str, Any] = workers[row].opened
        spread = 100 * (np.max(values) - np.min(values)) / np.median(values)
        print(
            f"{row:42}{1e6 / np.median(values):8.0f}{ratio(costs, BOUND, row):8.3f}{ratio(costs, row, ITEM):10.2f}"
            f"{spread:7.1f}{told['open_ms']:8.0f}{memory[row]:8.0f}{told['psnr']:7.1f}"
        )
    print(
        "\nframes /CPU-s: median of the rounds; of the bound, slower than ours (ds[i]): medians of the ratios within\n"
        "a round; spread: largest less smallest round; open: to the first frame, imports left out, page cache warm;\n"
        "memory: its own, without mapped files, beyond that after imports; PSNR against the stored JPEGs, lowest of\n"
        "67. States: five arrays (ours, tensorstore, zarr) or one packed vector (MDS, webdataset, litdata). All\n"
        "decode by imagecodecs' libjpeg-turbo, peers and ds.read into buffers used again; lerobot decodes video.\n",
        *filter(None, (worker.opened["note"] for worker in workers.values())),
        sep="\n",
        flush=True,
    )


def ratio(costs: Costs, above: str, below: str) -> float:
    """Median over the rounds of one row's cost over another's."""
    return float(np.median(np.array(costs[above]) / np.array(costs[below])))


def _print_goals(costs: Costs) -> None:
    share, batched = ratio(costs, BOUND, ITEM), ratio(costs, BOUND, BATCH)
    goal(share >= 0.95, f"ds[i] at {share:.3f} of the decode bound (goal: at least 0.95)")
    goal(batched >= 0.95, f"ds.read at {batched:.3f} of the decode bound (goal: at least 0.95)")
    for row in costs:
        if row not in OWN:
            slower, wanted = ratio(costs, row, ITEM), 8.0 if row.startswith("lerobot") else 1.0
            goal(slower > wanted, f"{row} costs {slower:.2f} of ds[i] (goal: more than {wanted:g})")
    for stride in (1, 3):
        for plain, row in ((ITEM, "ds.window"), (BATCH, "ds.read of 64")):
            row = f"syngrasp {row}, 4 + 2, stride {stride}"
            added = ratio(costs, row, plain) - 1.0
            goal(added < 0.1, f"{row} adds {100 * added:.1f} % (goal: less than 10 %)")


if __name__ == "__main__":
    sys.exit(main())
