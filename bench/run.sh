#!/usr/bin/env bash
# Builds lockstep_bench and prints the tables of docs/benchmarks.md. PyTorch is measured where
# Debian's python3-torch, python3-onnx and an optimised BLAS (libopenblas0-pthread) are installed.
# Usage: bench/run.sh [TURNS [THREADS_MAX]]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cmake --preset release >/dev/null
cmake --build --preset release --target lockstep_bench >&2
/usr/bin/python3 bench/compare.py build/release/bin/lockstep_bench "$@"
