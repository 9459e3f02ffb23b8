package probes

import (
	"context"
	"fmt"
	"io"
	"os"
)

// Identify tells which file system or swap is on a device or an image, and how
// it is set up: a [*FileSystem] or a [*Swap]. Several files are the devices of
// one btrfs. Both results are zero where there is nothing that rootwc knows.
func Identify(ctx context.Context, files ...*os.File) (ID, any, error) {
	media := make([]medium, len(files))
	for i, f := range files {
		size, err := f.Seek(0, io.SeekEnd) // a device's Stat has no size
		if err != nil {
			return "", nil, err
		}
		media[i] = medium{f, uint64(size)}
	}
	super, err := identifyBtrfs(media[0])
	switch {
	case err != nil:
		return "", nil, err
	case super != nil:
		id, fs, err := readBtrfs(ctx, media, nil)
		if err != nil {
			return "", nil, err
		}
		fs.Label, fs.LabelBytes = label([]byte(fs.Label))
		return id, fs, nil
	case len(media) > 1:
		return "", nil, fmt.Errorf("%s: no btrfs, on %d devices", files[0].Name(), len(files))
	}
	one, err := identify(media[0])
	if one == nil || err != nil {
		return "", nil, err
	}
	return one.id, one.node, nil
}
