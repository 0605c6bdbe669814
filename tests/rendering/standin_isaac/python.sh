#!/bin/sh
# Stands in for Isaac Sim's python.sh: a Python of its own environment, in which `isaacsim`, `omni` and `carb` are the
# modules beside this file.
here=$(dirname "$0")
case "$STANDIN_FAULT" in
old) exec "$STANDIN_PYTHON" "$here/old_worker.py" ;;
*) PYTHONPATH="$here" exec "$STANDIN_PYTHON" "$@" ;;
esac
