package hooks

import (
	_ "embed"
	"strings"
)

var (
	//go:embed files/rootwc-queue.service
	queueService string
	//go:embed files/rootwc-queue.timer
	queueTimer string
)

// The names of the units that make queued commits.
const (
	QueueService = "rootwc-queue.service"
	QueueTimer   = "rootwc-queue.timer"
)

// QueueUnits are the texts of these units by name; program is the absolute path
// of rootwc. They do nothing while no commit waits.
func QueueUnits(program string) map[string]string {
	return map[string]string{QueueService: strings.ReplaceAll(queueService, "@PROGRAM@", program), QueueTimer: queueTimer}
}
