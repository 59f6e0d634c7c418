#!/usr/bin/env bash
# Prints what the network costs beside a run in one process: whole runs of the main job, by turns.
# Where the kernel allows it they have a loopback device of their own, so that its bytes are theirs.
# Usage: bench/market.sh [TURNS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cmake --preset release >/dev/null
cmake --build --preset release --target lockstep >&2
program=build/release/bin/market_bench
"${CXX:-g++}" -std=c++20 -O2 -Wall -Wextra bench/market_bench.cc -o "$program"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
run=("$PWD/$program" "$PWD/build/release/bin/lockstep" "$PWD/examples/fashion-mnist/job.yaml" "$folder" "${1:-5}")
if unshare -rn true 2>/dev/null; then
  unshare -rn sh -c 'ip link set lo up && exec "$@"' sh "${run[@]}"
else
  "${run[@]}"
fi
