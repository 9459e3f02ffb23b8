package rebuild

import "rootwc/probes"

// fitLUKS is the content of an encrypted device, which takes all of it.
func (f *fitting) fitLUKS(id probes.ID) span {
	l, on := f.new.LUKS[id], f.device(f.new.LUKS[id].On)
	sector := max(l.Sector, 512)
	content := func(size uint64) uint64 { return (size - min(size, l.Offset)) / sector * sector }
	s := span{content(on.old), content(on.new)}
	switch {
	case s.old == s.new:
	case l.Integrity != "":
		f.failed(probes.Ref("luks."+id), "with integrity %s it is of the size that it was made with", l.Integrity)
		return span{s.old, s.old}
	case s.new == 0:
		f.failed(probes.Ref("luks."+id), "%d bytes have no room for its header", on.new)
	}
	return s
}
