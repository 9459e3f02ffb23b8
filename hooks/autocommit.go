package hooks

// AutoCommitUnits are a service and a timer of systemd that commit once a day
// what [commit] in the description lists: "rootwc commit --auto". program is
// the absolute path of rootwc, without blanks. See systemd.service(5) and
// systemd.timer(5).
//
// Nothing in the service makes a mount namespace: rootwc would take a private
// /tmp for a mount of the machine's, which a working copy does not cross.
func AutoCommitUnits(program string) (service, timer string) {
	return `[Unit]
Description=Commit what rootwc may commit by itself
ConditionPathExists=/.svn/wc.db

[Service]
Type=oneshot
ExecStart=` + program + ` commit --auto
Nice=10
IOSchedulingClass=idle
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
`, `[Unit]
Description=Commit daily what rootwc may commit by itself

[Timer]
OnCalendar=daily
RandomizedDelaySec=1h
Persistent=yes

[Install]
WantedBy=timers.target
`
}
