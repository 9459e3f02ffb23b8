package main

import (
	"context"
	"os"

	"rootwc/internal/run"
)

// udevConf tells device-mapper's users that udevd makes the nodes; the image
// says the opposite, see lvm.conf(5).
const udevConf = "activation { udev_sync = 1\n udev_rules = 1\n monitoring = 0 }\ndevices { use_devicesfile = 0 }\n"

// startUdev runs systemd-udevd and tells it of all devices that are there, as
// an initramfs or systemd-udev-trigger.service does it.
func startUdev() error {
	if err := os.WriteFile("/etc/lvm/lvm.conf", []byte(udevConf), 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"/usr/lib/systemd/systemd-udevd", "--daemon", "--resolve-names=never"},
		{"udevadm", "trigger", "--type=subsystems", "--action=add"},
		{"udevadm", "trigger", "--type=devices", "--action=add"},
		{"udevadm", "settle", "--timeout=60"},
	} {
		if _, _, err := run.Output(context.Background(), run.Command{Args: args}); err != nil {
			return err
		}
	}
	return nil
}
