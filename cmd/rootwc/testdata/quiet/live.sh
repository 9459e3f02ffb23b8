#!/bin/bash
# live.sh, in the running machine. Its first start puts it under rootwc and leaves
# it alone for days, then it starts once more, is left alone, and tells what it has
# seen. At last a file is changed: silence proves something only where a noise would
# have been heard.
set -eEu
exec > >(exec cat) 2>&1 # no terminal, for which there would be progress
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
notices='MESSAGE_ID=6c738241d38749108815b7318bf8c265'
say() { echo "live [$(cut -d' ' -f1 /proc/uptime)]: $*"; }
trap 'failed $LINENO' ERR
failed() {
	trap - ERR
	set +e
	ip -brief address
	systemctl list-units --failed --no-legend --plain
	journalctl --no-pager -q -b -p notice -u networking.service -u 'rootwc*' | tail -n 30
	rootwc status
	systemctl list-timers --all --no-pager
	systemctl status --no-pager rootwc-commit.timer rootwc-commit.service
	say "failed in line $1"
}

# wait_for SECONDS COMMAND…: until it succeeds
wait_for() {
	local end=$(($(cut -d. -f1 /proc/uptime) + $1))
	shift
	until "$@"; do
		[ "$(cut -d. -f1 /proc/uptime)" -lt "$end" ] || { say "waited in vain for: $*"; return 1; }
		sleep 0.2
	done
}
connected() { ip -4 address show eth0 | grep -q 'inet '; }
no_jobs() { [ "$(systemctl list-jobs --no-legend --plain | grep -cv 'live.service')" = 0 ]; }
idle() { [ -z "$(systemctl list-units --type=service --state=activating --no-legend --plain | grep -v live.service)" ]; }
# quiet: nothing differs, and the watcher that says so has seen all that happened
quiet() { [ -z "$(rootwc status)" ] && [ ! -e /run/rootwc/login ] && rootwc -v status 2>&1 | grep -q 'vouches for'; }

ran() { [ "$(systemctl show -p ExecMainExitTimestampMonotonic --value "$1")" != 0 ]; }

# days in which nobody does anything: the clock goes on, what timers put off by
# chance is started, and what cron would have done in the night is done
days() {
	date -s '+49 hours' >/dev/null
	systemctl start --no-block $(by_timers)
	for unit in logrotate dpkg-db-backup rootwc-commit; do wait_for 60 ran $unit.service; done
	for period in hourly daily weekly monthly; do run-parts "/etc/cron.$period" || true; done
	systemctl restart systemd-timesyncd systemd-journald cron
	ifdown --force -a >/dev/null 2>&1 && ifup -a >/dev/null 2>&1 # a new lease
	wait_for 60 connected
	wait_for 300 no_jobs
	wait_for 300 idle
}

by_timers() { systemctl list-timers --all --no-legend --plain --output=json | grep -o '"activates":"[^"]*"' | cut -d'"' -f4; }
done_by_timers() { for service in $(by_timers); do ! ran "$service" || printf '%s ' "$service"; done; }

tell() {
	say "done by timers: $(done_by_timers)"
	say "failed units: $(systemctl list-units --failed --no-legend --plain | cut -d' ' -f1 | tr '\n' ' ')"
	say "watcher: $(systemctl is-active rootwc-watch.service), started anew $(systemctl show -p NRestarts --value rootwc-watch.service) times"
	say "watcher's memory and time: $(systemctl show -p MemoryCurrent -p CPUUsageNSec rootwc-watch.service | tr '\n' ' ')"
	say "status: $(rootwc status 2>&1)"
	say "status again: $(rootwc -v status 2>&1 | grep -o 'vouches for.*' | tr '\n' ' ')"
	say "notices: $(journalctl -q --no-pager -o cat $notices --since "@$(cat /var/lib/born)")"
	say "warnings: $(journalctl -q --no-pager -o cat -u rootwc-watch.service -p warning --since "@$(cat /var/lib/born)")"
	say "login: $(cat /run/rootwc/login 2>/dev/null || true)"
}

say "up, with $(hostname -I)"
wait_for 120 connected
if [ ! -e /var/lib/born ]; then
	rootwc init "$(cat /var/lib/machine-url)"
	rootwc hooks install apt watch queue commit
	rootwc hooks list
	rootwc commit --add -m 'first state' >/dev/null
	wait_for 60 quiet
	date +%s >/var/lib/born
	say "status: $(rootwc status 2>&1)"
	days
	tell
	say first life ends
	systemctl reboot
	exit 0
fi
wait_for 60 systemctl --quiet is-active rootwc-watch.service
days
tell
say 'now somebody edits a file'
echo '# edited' >>/etc/fstab
wait_for 30 test -s /run/rootwc/login
say "login: $(run-parts /etc/update-motd.d 2>/dev/null | grep rootwc)"
say "notices: $(journalctl -q --no-pager -o cat $notices --since "@$(cat /var/lib/born)")"
say second life ends
systemctl poweroff
