#!/bin/sh
# Scan the models of a repository: the steps of the GitHub Action and of the pre-commit hook in docs/security.md.
#
#   tools/scan_repository.sh [--sarif FILE] [FILE...]
#
# Without FILEs every model below the current folder is scanned. A file of a SavedModel stands for its folder. What the
# file .gs-allow lists (an op, or OP:PATH, a line each) is wanted. FAIL_ON is the severity that fails, `high` unless it
# is set; GS is the program. Exit status: that of `gs scan`, 0 where there is no model.
set -eu

gs=${GS:-gs}
sarif=
if [ "${1:-}" = "--sarif" ]; then
  sarif=$2
  shift 2
fi

if [ $# -eq 0 ]; then
  find . -name .git -prune -o -type f \( -name 'saved_model.pb' -o -name 'saved_model.pbtxt' -o -name '*.pb' \
    -o -name '*.pbtxt' -o -name '*.meta' -o -name '*.tflite' -o -name '*.keras' -o -name '*.h5' -o -name '*.hdf5' \
    -o -name '*.pkl' -o -name '*.pt' \) -print
else
  printf '%s\n' "$@"
fi | sed -e 's|^\./||' -e 's|/saved_model\.pb\(txt\)\{0,1\}$||' -e 's|/fingerprint\.pb$||' \
  -e 's|/keras_metadata\.pb$||' | sort -u > .gs-scan.list
trap 'rm -f .gs-scan.list' EXIT

set --
while IFS= read -r path; do
  set -- "$@" "$path"
done < .gs-scan.list
if [ $# -eq 0 ]; then
  echo "no models here"
  exit 0
fi
if [ -f .gs-allow ]; then
  set -- "$@" --allow-from .gs-allow
fi
if [ -n "$sarif" ]; then
  set -- "$@" --sarif "$sarif" --force
fi
"$gs" scan "$@" --fail-on "${FAIL_ON:-high}"
