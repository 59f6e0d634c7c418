#!/bin/bash
# A new user reads README.md and does what it says, word for word: every ```sh block, in order, in a
# home folder of its own. Blocks or lines that install or build are left to ./dev itself.
#
#     tests/new_user.sh LOCKSTEP [README]
#
# LOCKSTEP is the program that was built. Ends with 0 when everything did what the README promises.
set -u

program=$(readlink -f "${1:?the program that was built}")
source=$(cd "$(dirname "$0")/.." && pwd)
readme=${2:-$source/README.md}
home=$(mktemp -d)
failures=0

# Whatever was started runs in this home's own network.
cleanup() {
  lockstep down >/dev/null 2>&1
  rm -rf "$home"
}
trap cleanup EXIT

export HOME=$home XDG_DATA_HOME=$home/data XDG_CONFIG_HOME=$home/config NO_COLOR=1
unset XDG_RUNTIME_DIR
mkdir -p "$home/bin" "$home/here"
ln -s "$program" "$home/bin/lockstep"
export PATH=$home/bin:$PATH

# The commands: lines of ```sh blocks that begin with "lockstep", without their comments.
commands() {
  awk '/^```sh/ { inside = 1; next } /^```/ { inside = 0 } inside' "$readme" |
    sed 's/  *#.*//' | grep '^lockstep ' || true
}

fail() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n' "$1" >&2
  sed 's/^/    /' "$home/said" >&2
}

# What a command promises: the README's words, and the words that show it.
promise() {
  case $1 in
    "lockstep up --demo"*) echo "the network is up" ;;
    "lockstep up"*) echo "the network" ;;
    "lockstep run --attach"*) echo "model root:" ;;
    "lockstep run"*"--dry-run"*) echo "price:" ;;
    "lockstep run"*) echo "model root:" ;;
    "lockstep verify"*) echo "receipt is right" ;;
    "lockstep jobs"*) echo "round" ;;
    "lockstep wallet history"*) echo "balance" ;;
    "lockstep wallet"*) echo "LKS" ;;
    "lockstep down"*) echo "stopped" ;;
    "lockstep doctor"*) echo "problem" ;;
    *) echo "" ;;
  esac
}

# A question is answered as a user would who was asked it: there is no terminal, so by --yes.
answered() {
  case $1 in
    *--yes* | *--dry-run* | *--attach*) echo "$1" ;;
    "lockstep run "* | "lockstep wallet send "*) echo "$1 --yes" ;;
    *) echo "$1" ;;
  esac
}

cd "$source" || exit 1
count=0
while IFS= read -r line; do
  [ -n "$line" ] || continue
  count=$((count + 1))
  words=$(promise "$line")
  printf '$ %s\n' "$line"
  (eval "$(answered "$line")") >"$home/said" 2>&1 </dev/null
  code=$?
  if [ $code -ne 0 ] && ! { [ "${line#lockstep doctor}" != "$line" ] && [ $code -eq 1 ]; }; then
    fail "$line: exit code $code"
  elif [ -n "$words" ] && ! grep -q -- "$words" "$home/said"; then
    fail "$line: does not say \"$words\""
  fi
done < <(commands)

if [ $count -eq 0 ]; then
  echo "README.md has no \`\`\`sh block with a lockstep command" >&2
  exit 1
fi
printf '%d commands, %d failed\n' "$count" "$failures"
[ "$failures" -eq 0 ]
