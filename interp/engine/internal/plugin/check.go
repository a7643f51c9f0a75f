package plugin

import (
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"lucigo/internal/atomicfile"
	"lucigo/internal/digest"
	"lucigo/interp/engine/internal/owner"
)

// Check returns an error if loading the plugin file at path could end the process, since the file is not whole, or would
// run what somebody else wrote. It follows links.
func Check(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() { // a pipe would never open
		return errors.New("it is not a regular file")
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for _, p := range []string{real, filepath.Dir(real), filepath.Dir(path)} {
		info, err := os.Stat(p)
		if err == nil {
			err = owner.Trusted(p, info)
		}
		if err != nil {
			return err
		}
	}
	if runtime.GOOS == "linux" {
		f, err := os.Open(real)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := whole(f, info.Size()); err != nil {
			return err
		}
	}
	return recorded(ctx, real, info, false)
}

// whole returns an error unless f, of so many bytes, is an ELF file of which no part is missing. The system ends a process
// that touches what a segment promises and the file does not have.
func whole(f io.ReaderAt, size int64) error {
	var h elf.Header64
	if err := binary.Read(io.NewSectionReader(f, 0, size), binary.LittleEndian, &h); err != nil || string(h.Ident[:4]) != elf.ELFMAG ||
		elf.Class(h.Ident[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(h.Ident[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return errors.New("it is no shared library of 64 bits")
	}
	inside := func(what string, from, n uint64) error {
		if from > uint64(size) || n > uint64(size)-from {
			return fmt.Errorf("it is truncated: %s ends at byte %d, and the file has %d", what, from+n, size)
		}
		return nil
	}
	const entry = 56 // bytes of an elf.Prog64
	if int(h.Phentsize) != entry || h.Phnum == 0 {
		return errors.New("it is damaged: its table of segments cannot be read")
	}
	err := errors.Join(inside("its table of segments", h.Phoff, uint64(h.Phnum)*entry),
		inside("its table of sections", h.Shoff, uint64(h.Shnum)*uint64(h.Shentsize)))
	if err != nil {
		return err
	}
	segments := make([]elf.Prog64, h.Phnum)
	if err := binary.Read(io.NewSectionReader(f, int64(h.Phoff), int64(h.Phnum)*entry), binary.LittleEndian, segments); err != nil {
		return err
	}
	for i, s := range segments {
		if err := inside(fmt.Sprintf("segment %d", i), s.Off, s.Filesz); err != nil {
			return err
		}
	}
	return nil
}

// record is the name of the file that says what the plugin beside it was when it was installed.
func record(path string) string { return path + ".installed" }

// Record notes size, time and hash of the plugin at path, as it is now, for Check.
func Record(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	sum, err := digest.SHA256(ctx, path)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(record(path), fmt.Appendf(nil, "%d %d %s\n", info.Size(), info.ModTime().Unix(), sum), 0o644)
}

// Recorded returns an error if the plugin at path is not, byte for byte, what Record noted: fs.ErrNotExist where it noted
// nothing.
func Recorded(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if _, err := os.Stat(record(path)); err != nil {
		return err
	}
	return recorded(ctx, path, info, true)
}

// recorded compares the plugin with its record, if there is one. A file of the recorded size and time is taken to be whole
// unless every byte is to be looked at: reading all of it takes longer than a process needs to start.
func recorded(ctx context.Context, path string, info fs.FileInfo, all bool) error {
	text, err := os.ReadFile(record(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var size, modified int64
	var sum string
	if _, err := fmt.Sscanf(string(text), "%d %d %64s\n", &size, &modified, &sum); err != nil {
		return fmt.Errorf("%s is damaged: %w", record(path), err)
	}
	if info.Size() != size {
		return fmt.Errorf("it has %d bytes, and had %d when it was installed", info.Size(), size)
	}
	if info.ModTime().Unix() == modified && !all {
		return nil
	}
	got, err := digest.SHA256(ctx, path)
	if err == nil && got != sum {
		err = fmt.Errorf("its SHA-256 is %s, and was %s when it was installed", got, sum)
	}
	return err
}
