# make demo    shows rootwc at work, in a sandbox
# make test    lint, all tests with the race detector, real Debian systems
# make vmtest  whole machines lost and brought back, in virtual machines
# make vmlayers  each layer of storage by itself, in virtual machines
# make bench   measures rootwc against svn, git, fsvs, etckeeper and a bare walk;
#              BENCHFLAGS=-quick for some minutes, BENCHFLAGS=-help for the rest
#
# All install with apt what is missing. "go build ./cmd/rootwc" and
# "go test ./..." work without make.

GO       ?= go
GOFMT    ?= $(shell $(GO) env GOROOT)/bin/gofmt
PREFIX   ?= /usr/local
DESTDIR  ?=
FUZZTIME ?= 5s

# tools of the administrator are there for an ordinary user as well
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

# The version names the revision where git can tell it.
BUILDFLAGS := -trimpath $(shell git rev-parse HEAD >/dev/null 2>&1 || echo -buildvcs=false)

# Installing a system needs root; only that test gets it.
REAL := ^TestReal
REALENV = ROOTWC_REAL=1 "ROOTWC_REAL_CACHE=$(CURDIR)/.cache/debs"
ifneq ($(shell id -u),0)
REALROOT = -exec 'sudo env "CI=$(CI)" "PATH=$(PATH)" $(REALENV)'
endif
# So does installing the one that loses its disk.
GUEST := ^TestGuest
GUESTENV = ROOTWC_VM=1 "ROOTWC_VM_ACCEL=$(ROOTWC_VM_ACCEL)" "ROOTWC_ROUNDS=$(ROOTWC_ROUNDS)" "ROOTWC_REAL_CACHE=$(CURDIR)/.cache/debs"
ifneq ($(shell id -u),0)
GUESTROOT = -exec 'sudo env "PATH=$(PATH)" "GOMODCACHE=$(shell $(GO) env GOMODCACHE)" $(GUESTENV)'
endif
REALTEST = env $(REALENV) $(GO) test -count=1 -timeout 30m -run '$(REAL)' $(REALROOT)

.PHONY: build demo test bench install clean deps demo-deps bench-deps vm-deps lint fuzz realtest vmtest vmlayers

# A static program works in a rescue system of whatever release.
build:
	CGO_ENABLED=0 $(GO) build $(BUILDFLAGS) -o bin/rootwc ./cmd/rootwc

demo: demo-deps build
	bin/rootwc demo

test: lint
	@mkdir -p .cache/debs && rm -f .cache/tests
	{ $(GO) test -race -json -count=1 -timeout 45m -skip '$(REAL)' ./... ; \
	  $(REALTEST) -json ./cmd/rootwc ; } | $(GO) run scripts/tally.go -show '$(REAL)' -summary .cache/tests

bench: bench-deps build
	$(GO) build $(BUILDFLAGS) -o bin/bench ./scripts/bench
	bin/bench -rootwc bin/rootwc -etckeeper .cache/etckeeper -json .cache/bench.json $(BENCHFLAGS)

realtest: deps
	@mkdir -p .cache/debs
	$(REALTEST) -v ./cmd/rootwc

# Two machines at a time: emulation keeps one processor busy for each.
vmtest: vm-deps
	@echo "the first run downloads two Debian kernels, and makes a Debian, into .cache/vm"
	@mkdir -p .cache/debs && rm -f .cache/vmtests
	env $(GUESTENV) $(GO) test -json -count=1 -parallel 2 -timeout 60m -run '$(GUEST)' $(GUESTROOT) ./cmd/rootwc | \
		$(GO) run scripts/tally.go -show '$(GUEST)' -summary .cache/vmtests

vmlayers: vm-deps
	{ ROOTWC_VM=1 $(GO) test -json -count=1 -timeout 45m ./internal/vm/... ; \
	  ROOTWC_VM=1 $(GO) test -json -count=1 -timeout 90m -p 1 -run '$(GUEST)' ./probes ./rebuild ; } | \
		$(GO) run scripts/tally.go -show '$(GUEST)'

lint: deps
	@unformatted=$$($(GOFMT) -l .); test -z "$$unformatted" || { echo "not formatted with gofmt:" $$unformatted; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

fuzz:
	GO="$(GO)" scripts/fuzz $(FUZZTIME)

install: build
	install -D -m 0755 bin/rootwc $(DESTDIR)$(PREFIX)/bin/rootwc

clean:
	rm -rf bin .cache

# what "WHAT:PACKAGE" means is told in scripts/need
demo-deps:
	@scripts/need svn:subversion svnadmin:subversion /etc/ssl/certs/ca-certificates.crt:ca-certificates

# etckeeper is unpacked, not installed: it would take over /etc
bench-deps:
	@scripts/need svn:subversion svnadmin:subversion svnmucc:subversion svnserve:subversion \
		/etc/ssl/certs/ca-certificates.crt:ca-certificates git:git perl:perl fsvs:fsvs
	@scripts/etckeeper .cache/etckeeper

# sshd only where nobody minds a server that listens: tests that want it skip
deps:
	@scripts/need svn:subversion svnadmin:subversion svnserve:subversion \
		/etc/ssl/certs/ca-certificates.crt:ca-certificates \
		ssh:openssh-client $(if $(CI),sshd:openssh-server) git-annex:git-annex \
		gcc:gcc /usr/include/stdio.h:libc6-dev \
		getfacl:acl setfacl:acl getfattr:attr setfattr:attr getcap:libcap2-bin setcap:libcap2-bin \
		diff3:diffutils dpkg-deb:dpkg visudo:sudo dbus-daemon:dbus systemd-analyze:systemd systemctl:systemd \
		debootstrap:debootstrap rsync:rsync git:git python3:python3 strace:strace \
		age:age ssh-keygen:openssh-client \
		sfdisk:fdisk mdadm:mdadm cryptsetup:cryptsetup-bin lvm:lvm2 losetup:mount mount:mount blkid:util-linux \
		mke2fs:e2fsprogs chattr:e2fsprogs mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs mkfs.vfat:dosfstools mkfs.exfat:exfatprogs \
		mkfs.f2fs:f2fs-tools setup-storage:fai-setup-storage systemd-repart:systemd nix-instantiate:nix-bin \
		rpm:rpm rpmbuild:rpm createrepo_c:createrepo-c dnf:dnf pacman:pacman-package-manager zypper:zypper

vm-deps:
	@scripts/need svn:subversion svnadmin:subversion svnserve:subversion \
		qemu-system-x86_64:qemu-system-x86 /usr/share/OVMF/OVMF_CODE_4M.fd:ovmf efibootmgr:efibootmgr \
		depmod:kmod /usr/lib/systemd/systemd-udevd:udev debootstrap:debootstrap \
		sfdisk:fdisk mdadm:mdadm cryptsetup:cryptsetup-bin lvm:lvm2 thin_check:thin-provisioning-tools \
		mke2fs:e2fsprogs chattr:e2fsprogs mkfs.xfs:xfsprogs btrfs:btrfs-progs mkfs.vfat:dosfstools mkfs.f2fs:f2fs-tools mkfs.exfat:exfatprogs
