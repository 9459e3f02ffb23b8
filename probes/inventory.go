package probes

import (
	"io"

	"rootwc/internal/page"
)

// Inventory is the hardware of a machine. It is a page of its own, because it
// is expected to differ after a rebuild.
type Inventory struct {
	Format string           `toml:"format"`
	Disk   map[ID]*Hardware `toml:"disk"` // by the ID of the disk in the [Layout]
}

// Write writes the inventory as [Layout.Write] does a layout.
func (i *Inventory) Write(w io.Writer) error { return page.Write(w, i) }

// ParseInventory reads what [Inventory.Write] wrote.
func ParseInventory(text []byte) (*Inventory, error) { return page.Read[Inventory](text, Format) }
