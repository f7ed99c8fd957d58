#!/usr/bin/env bash
# Locks what action.yml installs, by hash, for every platform and Python: action/requirements.txt.
# Needs uv. Further arguments go to it, such as --upgrade.
set -euo pipefail
cd "$(dirname "$0")/.."
uv pip compile setup.cfg action/build.in \
  --universal --python-version 3.10 --generate-hashes --no-strip-extras --quiet \
  --custom-compile-command support/lock_action.sh \
  --output-file action/requirements.txt "$@"
