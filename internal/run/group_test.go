package run

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestGroupEndsAll: a program that is killed takes with it what it has started.
func TestGroupEndsAll(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var pid string
	_, _, err := Output(ctx, Command{
		Args: []string{"sh", "-c", "sleep 300 & echo $!; wait"},
		Line: func(line string) { pid = line; cancel() },
		Kill: true, Group: true,
	})
	if err == nil || pid == "" {
		t.Fatalf("got %v, child %q", err, pid)
	}
	const patience, pause = 10 * time.Second, 10 * time.Millisecond
	for end := time.Now().Add(patience); ; time.Sleep(pause) {
		text, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
		if err != nil || strings.Contains(string(text), "State:\tZ") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("child %s is alive:\n%s", pid, text)
		}
	}
}
