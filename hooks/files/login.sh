#!/bin/sh
# Says in one line that something differs from what was committed, if it does.
if [ -s /run/rootwc/login ]; then
	cat /run/rootwc/login
fi
