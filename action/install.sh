#!/usr/bin/env bash
# Gives the action a Python that runs the code of this very revision, and says which in the output
# `python`. Its packages come from requirements.txt, by hash, into an environment of its own. With
# INPUT_PYTHON nothing is installed: that Python has everything.
set -euo pipefail

top="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

fail() {
  echo "::error title=IAM Preflight::$1"
  exit 2
}

told() {
  echo "python=$1" >> "$GITHUB_OUTPUT"
}

given="${INPUT_PYTHON:-}"
if [ -n "$given" ]; then
  "$given" -I -c 'import iam_preflight' || fail "input python: iam-preflight is not installed there"
  told "$given"
  exit
fi

chosen=""
for candidate in python3 python; do
  if "$candidate" -I -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' 2> /dev/null; then
    chosen="$candidate"
    break
  fi
done
[ -n "$chosen" ] || fail "no Python 3.10 or newer on the PATH: put actions/setup-python before"

environment="$(mktemp -d "${RUNNER_TEMP:-/tmp}/iam-preflight-env-XXXXXX")"
"$chosen" -I -m venv "$environment"
python="$environment/bin/python"
[ -x "$python" ] || python="$environment/Scripts/python.exe"

pip_install() {
  # compiling all of it takes longer than what little is used is compiled in
  "$python" -I -m pip --quiet --disable-pip-version-check --no-input install --no-compile "$@"
}

pip_install --require-hashes --no-deps --only-binary=:all: -r "$top/action/requirements.txt"
# the code itself, built with the setuptools from above
pip_install --no-deps --no-build-isolation --no-index "$top"
told "$python"
