#!/usr/bin/python3
"""Times PyTorch for bench/compare.py: the same model, batch, optimiser and schedule as the job.

Answers "step N" with a line of the nanoseconds of N training steps and a line of their processor
times, "contract N" likewise for N products of 1024 x 1024 matrices, and "loss 0" with the sum of
the losses since the task's first step.
Usage: torch_step.py FOLDER_OF_THE_EXAMPLE THREADS contiguous|channels_last
"""

import gzip
import math
import pathlib
import sys
import time

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
BLOB, BATCH, LOCAL_STEPS, ROUNDS = 1000, 25, 40, 60
BASE_RATE, WARMUP, MOMENTUM = 0.05, 60, 0.9


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc1 = nn.Linear(16 * 7 * 7, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        x = functional.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc2(x)


def read_idx(name, offset):
    return np.frombuffer(gzip.decompress((DATA / name).read_bytes()), np.uint8, offset=offset)


def rate_at(step):
    if step < WARMUP:
        return BASE_RATE * (step + 1) / WARMUP
    total = ROUNDS * LOCAL_STEPS
    return BASE_RATE / 2 * (1 + math.cos(math.pi * (step - WARMUP) / (total - WARMUP)))


class Training:
    def __init__(self, example, layout):
        images = read_idx("train-images-idx3-ubyte.gz", 16)[: BLOB * 784]
        labels = read_idx("train-labels-idx1-ubyte.gz", 8)[:BLOB]
        self.images = torch.tensor(images).reshape(BLOB, 1, 28, 28)
        self.labels = torch.tensor(labels).long()
        self.format = getattr(torch, layout + "_format" if layout == "contiguous" else layout)
        self.model = Classifier()
        weights = onnx.load(example / "model.onnx").graph.initializer
        self.model.load_state_dict(
            {w.name: torch.tensor(numpy_helper.to_array(w)) for w in weights}
        )
        self.model = self.model.to(memory_format=self.format)
        self.optimizer = torch.optim.SGD(self.model.parameters(), BASE_RATE, MOMENTUM)
        self.step_number = 0
        self.loss_sum = torch.zeros(())

    def step(self):
        place = self.step_number % LOCAL_STEPS
        if place == 0:
            self.loss_sum = torch.zeros(())
        rows = slice(place * BATCH, (place + 1) * BATCH)
        x = (self.images[rows].float() / 255).contiguous(memory_format=self.format)
        self.optimizer.param_groups[0]["lr"] = rate_at(self.step_number)
        self.optimizer.zero_grad()
        loss = functional.cross_entropy(self.model(x), self.labels[rows])
        loss.backward()
        self.optimizer.step()
        self.loss_sum += loss.detach()
        self.step_number += 1


def tell_times(count, body):
    times, processor_times = [], []
    for _ in range(count):
        start, processor_start = time.perf_counter_ns(), time.process_time_ns()
        body()
        processor_times.append(time.process_time_ns() - processor_start)
        times.append(time.perf_counter_ns() - start)
    print(*times)
    print(*processor_times, flush=True)


def main():
    torch.set_num_threads(int(sys.argv[2]))
    training = Training(pathlib.Path(sys.argv[1]), sys.argv[3])
    a, b = torch.rand(1024, 1024) * 2 - 1, torch.rand(1024, 1024) * 2 - 1
    c = torch.empty(1024, 1024)
    print("ready", flush=True)
    for line in sys.stdin:
        what, count = line.split()
        if what == "step":
            tell_times(int(count), training.step)
        elif what == "contract":
            tell_times(int(count), lambda: torch.mm(a, b, out=c))
        else:
            print(float(training.loss_sum), flush=True)


if __name__ == "__main__":
    main()
