package vm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"rootwc/internal/run"
	"rootwc/internal/vm/exchange"
)

// accelerator is how qemu runs a guest's instructions.
type accelerator struct{ name, cpu string }

// An emulated processor pays for every feature that it shows, in self-tests
// and wide instructions: the plain model starts a third faster than "max".
var (
	kvm = accelerator{"kvm", "host"}
	tcg = accelerator{"tcg,thread=multi", "qemu64"}
)

// choosing lets one test of a process prove kvm while the others wait.
var choosing sync.Mutex

// accelerator follows ROOTWC_VM_ACCEL: kvm, tcg or auto, which is the default
// and takes kvm where it is proven.
func (i *Image) accelerator(ctx context.Context) (accelerator, error) {
	switch v := os.Getenv("ROOTWC_VM_ACCEL"); v {
	case "kvm":
		return kvm, nil
	case "tcg":
		return tcg, nil
	case "", "auto":
		choosing.Lock()
		defer choosing.Unlock()
		if i.kvmWorks(ctx) {
			return kvm, nil
		}
		return tcg, ctx.Err()
	default:
		return accelerator{}, fmt.Errorf("ROOTWC_VM_ACCEL: unknown accelerator %q, want auto, kvm or tcg", v)
	}
}

// kvmWorks boots a guest that switches itself off. That /dev/kvm is there
// proves nothing: below some hypervisors a stock kernel never gets further
// than unpacking itself. The answer is kept in the cache until this machine is
// booted again, because no takes ten seconds.
func (i *Image) kvmWorks(ctx context.Context) bool {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	f.Close()
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return false
	}
	verdict := filepath.Join(i.cache, "kvm")
	if known, err := os.ReadFile(verdict); err == nil {
		if answer, ok := strings.CutPrefix(string(known), string(boot)); ok {
			return answer == "works\n"
		}
	}
	works := i.boots(ctx, kvm)
	answer := "fails\n"
	if works {
		answer = "works\n"
	}
	if ctx.Err() == nil {
		_ = os.WriteFile(verdict, append(boot, answer...), 0o644) // else it is proven again
	}
	return works
}

// boots tells whether a guest says that it lives, within ten seconds.
func (i *Image) boots(ctx context.Context, a accelerator) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, _, _ := run.Output(ctx, run.Command{Kill: true, Args: []string{
		"qemu-system-x86_64", "-machine", "q35", "-accel", a.name, "-cpu", a.cpu, "-m", "256",
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio",
		"-kernel", i.kernel.image(), "-initrd", i.prove, "-append", "console=ttyS0 quiet panic=-1 " + exchange.Prove,
	}})
	return strings.Contains(string(out), exchange.Proved)
}
