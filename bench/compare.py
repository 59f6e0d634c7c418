#!/usr/bin/python3
"""Runs our engine and PyTorch alternately and prints tables in Markdown.

Each is a process of its own that waits between its turns, so that a disturbance of the machine hits
all of them alike. Usage: compare.py LOCKSTEP_BENCH [TURNS [THREADS_MAX]]
"""

import importlib.util
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "fashion-mnist"
STEPS_A_TURN, CLAIM_EVERY = 40, 5
BLAKE3_BYTES, CONTRACTION_OPERATIONS = 1 << 20, 2 * 1024**3
# A worker's idle threads spin for a while before they sleep; the next turn waits for that.
REST_S = 0.05


class Worker:
    """A process that measures when it is asked to, and all the times it has given by question."""

    def __init__(self, command, threads):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        self.process = subprocess.Popen(
            command,
            env=os.environ | {name: str(threads) for name in names},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.times = {}
        if self.read() != ["ready"]:
            sys.exit(f"{command[0]} did not start")

    def read(self):
        return self.process.stdout.readline().split()

    def ask(self, what, count):
        time.sleep(REST_S)
        print(what, count, file=self.process.stdin, flush=True)

    def loss(self):
        self.ask("loss", 0)
        return float(self.read()[0]) / STEPS_A_TURN

    def measure(self, what, count, keep=True):
        self.ask(what, count)
        for clock in ("elapsed", "processor"):
            times = [int(word) for word in self.read()]
            if keep:
                self.times.setdefault((what, clock), []).extend(times)

    def median(self, what, clock):
        return statistics.median(self.times[what, clock])


def start_workers(program, thread_counts):
    workers = {}
    have_torch = importlib.util.find_spec("torch") and importlib.util.find_spec("onnx")
    for threads in thread_counts:
        job = str(EXAMPLE / "job.yaml")
        workers["ours", threads] = Worker([program, job, str(threads)], threads)
        for layout in ("contiguous", "channels_last") if have_torch else ():
            command = [sys.executable, HERE / "torch_step.py", EXAMPLE, str(threads), layout]
            workers[layout, threads] = Worker(command, threads)
    return workers


def row(*cells):
    print("| " + " | ".join(cells) + " |")


def tell_steps(workers, turns):
    for worker in workers.values():
        worker.measure("step", STEPS_A_TURN, keep=False)  # warm up
        print(f"mean loss of the first {STEPS_A_TURN} steps: {worker.loss():.5f}", file=sys.stderr)
    for _ in range(turns):
        for worker in workers.values():
            worker.measure("step", STEPS_A_TURN)
    row("one training step", "Lockstep", "PyTorch", "PyTorch, channels last", "ratio to the better")
    row("---", "---:", "---:", "---:", "---:")
    for threads in sorted({count for _, count in workers}):
        for clock in ("elapsed", "processor"):
            found = {
                who: worker.median("step", clock) / 1e3
                for (who, count), worker in workers.items()
                if count == threads
            }
            ours, others = found.pop("ours"), list(found.values())
            cells = [f"{value:.0f} µs" for value in others] or ["not here"] * 2
            ratio = f"{ours / min(others):.2f}" if others else ""
            text = f"{threads} thread{'s' * (threads > 1)}, {clock} time"
            row(text, f"{ours:.0f} µs", *cells, ratio)
    print()


def tell_parts(ours, torch):
    for _ in range(10):
        for what, count in (("root", 40), ("blake3", 40), ("blake3-portable", 20), ("contract", 4)):
            ours.measure(what, count)
        if torch:
            torch.measure("contract", 4)
    row("part, one thread, by processor time", "Lockstep", "PyTorch")
    row("---", "---:", "---:")
    root, step = ours.median("root", "processor"), ours.median("step", "processor")
    row("state root of the example", f"{root / 1e3:.0f} µs", "")
    share = root / (root + CLAIM_EVERY * step)
    row(f"share of hashing, a root every {CLAIM_EVERY} steps", f"{share:.1%}", "")
    for what, text in (("blake3", "AVX2"), ("blake3-portable", "portable")):
        rate = BLAKE3_BYTES / ours.median(what, "processor") * 1e3
        row(f"BLAKE3 of 1 MiB, {text}", f"{rate:.0f} MB/s", "")
    rates = [
        f"{CONTRACTION_OPERATIONS / worker.median('contract', 'processor'):.1f} GF/s"
        if worker
        else "not here"
        for worker in (ours, torch)
    ]
    row("f32 contraction 1024 × 1024 × 1024", *rates)


def tell_machine():
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line),
        "unknown processor",
    )
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{os.cpu_count()} processors, {model}; load average at the end: {load}", file=sys.stderr)


def main():
    turns = int(sys.argv[2]) if len(sys.argv) > 2 else 25
    thread_counts = [1, 2][: int(sys.argv[3])] if len(sys.argv) > 3 else [1, 2]
    workers = start_workers(sys.argv[1], thread_counts)
    tell_steps(workers, turns)
    tell_parts(workers["ours", 1], workers.get(("contiguous", 1)))
    tell_machine()
    for worker in workers.values():
        worker.process.stdin.close()
        worker.process.wait()


if __name__ == "__main__":
    main()
