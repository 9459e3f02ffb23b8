package vm

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// libraryDirs are where Debian's ld.so looks without a cache: in the guest
// there is none.
var libraryDirs = []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/lib", "/usr/lib64", "/usr/lib"}

// needs lists the files that a program cannot start without, as ld.so(8) and
// execve(2) find them: the loader and the libraries that an ELF file names, the
// interpreter of a script. It reads headers and runs nothing; ldd(1) may
// execute what it looks at. What those files need is not included.
func needs(path string, content []byte) ([]string, error) {
	if line, ok := bytes.CutPrefix(content, []byte("#!")); ok {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		interpreter := strings.Fields(string(line))
		if len(interpreter) == 0 {
			return nil, nil
		}
		return interpreter[:1], nil
	}
	if !bytes.HasPrefix(content, []byte(elf.ELFMAG)) {
		return nil, nil
	}
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var found []string
	if loader := loaderOf(file); loader != "" {
		found = append(found, loader)
	}
	libraries, err := file.ImportedLibraries()
	if err != nil { // no dynamic section
		return found, nil
	}
	for _, name := range libraries {
		library, err := findLibrary(file, path, name)
		if err != nil {
			return nil, err
		}
		found = append(found, library)
	}
	return found, nil
}

// loaderOf reads the path in PT_INTERP, "" where there is none.
func loaderOf(file *elf.File) string {
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			b := make([]byte, p.Filesz)
			if _, err := p.ReadAt(b, 0); err != nil {
				return ""
			}
			return strings.TrimRight(string(b), "\x00")
		}
	}
	return ""
}

// findLibrary searches the directories that the file itself names, then the
// usual ones.
func findLibrary(file *elf.File, path, name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	var dirs []string
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		values, err := file.DynString(tag)
		if err != nil {
			continue
		}
		for _, value := range values {
			value = strings.NewReplacer("$ORIGIN", filepath.Dir(path), "${ORIGIN}", filepath.Dir(path)).Replace(value)
			dirs = append(dirs, filepath.SplitList(value)...)
		}
	}
	for _, dir := range append(dirs, libraryDirs...) {
		library := filepath.Join(dir, name)
		if _, err := os.Stat(library); err == nil {
			return library, nil
		}
	}
	return "", fmt.Errorf("%s: cannot find its library %s", path, name)
}
