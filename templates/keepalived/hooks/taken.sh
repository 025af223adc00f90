#!/bin/sh
# Whether it runs with its file as it is: 0 it does, 2 it refused it.
exec /bin/sh "$SDTD_CONFIG/keepalived.sh" taken
