#!/bin/sh
# Formats the data folders for the cluster. After it was cut off, it formats those that are not yet.
exec sh "$SDTD_CONFIG/$SDTD_UNIT-format.sh"
