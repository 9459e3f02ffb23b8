package probes

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
)

// btrfsGroup is a quota group's number: 16 bits of level, 48 of its own.
type btrfsGroup uint64

func (g btrfsGroup) level() uint64  { return uint64(g) >> 48 }
func (g btrfsGroup) number() uint64 { return uint64(g) & (1<<48 - 1) }
func (g btrfsGroup) String() string { return fmt.Sprintf("%d/%d", g.level(), g.number()) }

// btrfsMaxGroups bounds the memory that hostile trees can take.
const btrfsMaxGroups = 1 << 18

// readQuota reads the quota groups: their limits, and how they belong
// together. What they count is use.
func (r *btrfsReader) readQuota(ctx context.Context) error {
	r.fs.Group = map[ID]*BtrfsQuotaGroup{}
	err := r.source.items(ctx, btrfsQuotaTree, btrfsKey{}, btrfsLastKey, func(item btrfsItem) error {
		switch group := btrfsGroup(item.key.offset); item.key.kind {
		case btrfsGroupStatus:
			return r.quotaStatus(item)
		case btrfsGroupInfo:
			if _, _, groups := r.group(group); groups == nil && group.level() > 0 {
				if len(r.fs.Group) == btrfsMaxGroups {
					return fmt.Errorf("more than %d quota groups", btrfsMaxGroups)
				}
				r.fs.Group[ID(group.String())] = &BtrfsQuotaGroup{}
			}
		case btrfsGroupLimit:
			return r.quotaLimit(group, item)
		case btrfsGroupRelation:
			// each is there twice, the second time from above
			member, above := btrfsGroup(item.key.object), group
			if _, _, groups := r.group(member); groups != nil && member.level() < above.level() {
				*groups = append(*groups, above.String())
			}
		}
		return nil
	})
	if errors.Is(err, errNoBtrfsTree) {
		return nil
	}
	return err
}

// quotaStatus reads a struct btrfs_qgroup_status_item.
func (r *btrfsReader) quotaStatus(item btrfsItem) error {
	const on, simple = 1 << 0, 1 << 3
	if len(item.data) < 32 {
		return item.short()
	}
	switch flags := le64(item.data[16:]); {
	case flags&on == 0:
	case flags&simple != 0:
		r.fs.Quota = "simple"
	default:
		r.fs.Quota = "full"
	}
	return nil
}

// quotaLimit reads a struct btrfs_qgroup_limit_item. Its reservations have no
// effect, and no tool sets them.
func (r *btrfsReader) quotaLimit(group btrfsGroup, item btrfsItem) error {
	const hasReferenced, hasExclusive = 1 << 0, 1 << 1
	if len(item.data) < 24 {
		return item.short()
	}
	referenced, exclusive, _ := r.group(group)
	if referenced == nil {
		return nil // of a subvolume that is gone
	}
	for _, limit := range []struct {
		bit, bytes uint64
		to         *uint64
	}{{hasReferenced, le64(item.data[8:]), referenced}, {hasExclusive, le64(item.data[16:]), exclusive}} {
		if le64(item.data)&limit.bit == 0 || limit.bytes > math.MaxInt64 {
			continue // the largest number is how a limit is taken away
		}
		if *limit.to = limit.bytes; limit.bytes == 0 {
			r.unsupported("quota group %v has a limit of 0 bytes", group)
		}
	}
	return nil
}

// group gives where the facts of a group go: into its subvolume, or a group of
// its own; nowhere when that is gone.
func (r *btrfsReader) group(g btrfsGroup) (referenced, exclusive *uint64, groups *[]string) {
	if g.level() > 0 {
		if q := r.fs.Group[ID(g.String())]; q != nil {
			return &q.MaxReferenced, &q.MaxExclusive, &q.Groups
		}
	} else if s := r.subvolumes[g.number()]; s != nil && s.described != nil {
		return &s.described.MaxReferenced, &s.described.MaxExclusive, &s.described.Groups
	}
	return nil, nil, nil
}

// dropTopLevel leaves the top level out when nothing is set on it.
func (r *btrfsReader) dropTopLevel(context.Context) error {
	if s := r.fs.Subvolume["/"]; s != nil && reflect.DeepEqual(*s, BtrfsSubvolume{}) {
		delete(r.fs.Subvolume, "/")
	}
	return nil
}
