//go:build cgo && (linux || darwin)

package plugin

// #cgo linux LDFLAGS: -ldl
// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
	"google.golang.org/protobuf/encoding/protowire"

	"lucigo/interp/engine/internal/diskcache"
)

// Supported says whether this program can open plugins at all.
const Supported = true

// Unsupported says why plugins cannot be opened: here, nothing does.
func Unsupported() string { return "" }

// A Client is one open client of a plugin, with its cache.
type Client struct {
	// Backend runs graphs on the plugin.
	Backend compute.Backend
	// Platform is the plugin's name for what it runs on: "cpu", "cuda" …; Version its account of itself.
	Platform, Version string

	slot  int
	store *diskcache.Dir // nil: nothing is kept
	base  [][]byte       // the parts of every key that do not change between programs

	mu    sync.Mutex
	stats Stats
}

// Plugins stay loaded until the process ends, so one table of them is kept for it.
var (
	mu      sync.Mutex     // held while a plugin or a client is opened
	loaded  []loadedPlugin // by slot
	opening *Client        // the client that go-xla is about to create
	clients = map[*C.lg_client]*Client{}
	reading sync.RWMutex // guards clients
)

type loadedPlugin struct {
	path     string
	name     string // under which go-xla knows it
	identity []byte
}

// Open loads the plugin file (an absolute path), if this process has not yet, and opens a client. Programs are kept in
// store, or nowhere if it is nil. Kind, "cpu" or "cuda", tells go-xla how to treat the plugin.
func Open(path, kind string, store *diskcache.Dir) (*Client, error) {
	mu.Lock()
	defer mu.Unlock()
	if kind == "cuda" {
		defer mute()()
	}
	slot, err := load(path, kind)
	if err != nil {
		return nil, fmt.Errorf("the XLA plugin %s cannot be loaded: %w", path, err)
	}
	c := &Client{slot: slot, store: store}
	opening = c
	defer func() { opening = nil }()
	backend, err := xla.New(loaded[slot].name)
	if err != nil {
		return nil, fmt.Errorf("the XLA plugin %s does not start: %w", path, err)
	}
	c.Backend = backend
	c.base = [][]byte{loaded[slot].identity, []byte(c.Platform), []byte(c.Version),
		[]byte(fmt.Sprint(backend.NumDevices(), " ", backend.DeviceDescription(0))), []byte(Machine())}
	return c, nil
}

// mute keeps standard error silent until the function that it returns is called. The CUDA plugin greets there while it
// starts, whatever log level is asked for, and in a notebook that looks like a failure.
func mute() (unmute func()) {
	kept := C.lg_mute()
	return func() { C.lg_unmute(kept) }
}

// load returns the slot of a plugin, after registering it with go-xla. The name is absolute so that go-xla searches no
// directories, and made up so that no part of the file's path misleads it about the kind.
func load(path, kind string) (int, error) {
	identity, err := Identity(path)
	if err != nil {
		return 0, err
	}
	for slot, p := range loaded {
		if p.path == path {
			return slot, nil
		}
	}
	slot := len(loaded)
	if slot == C.LG_SLOTS {
		return 0, fmt.Errorf("this process has already loaded %d plugins", slot)
	}
	cPath := C.CString(path)
	defer C.free(unsafe.Pointer(cPath))
	message := (*C.char)(C.calloc(1, 1024))
	defer C.free(unsafe.Pointer(message))
	api := C.lg_open(cPath, C.int(slot), message, 1024)
	if api == nil {
		return 0, errors.New(C.GoString(message))
	}
	name := fmt.Sprintf("/%s-%d", kind, slot)
	// The slot is taken from here on: whatever happens next, the table of this plugin is in go-xla's hands.
	loaded = append(loaded, loadedPlugin{path, name, identity})
	if err := pjrt.RegisterPreloadedPlugin(name, uintptr(unsafe.Pointer(api))); err != nil {
		loaded[slot].path = ""
		return 0, err
	}
	return slot, nil
}

// Stats returns what the cache did so far.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// count changes the statistics.
func (c *Client) count(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}

// lgClientCreate replaces PJRT_Client_Create: it remembers whose client the plugin has made.
//
//export lgClientCreate
func lgClientCreate(slot C.int, args *C.lg_client_create_args) *C.lg_error {
	if err := C.lg_real_create(slot, args); err != nil {
		return err
	}
	c := opening // set by Open, which is waiting for this very call
	if c == nil {
		return nil
	}
	var text *C.char
	var size C.size_t
	if err := C.lg_platform_name(slot, args.client, &text, &size); err == nil {
		c.Platform = C.GoStringN(text, C.int(size))
	} else {
		c.fail("the platform's name is unknown", slot, err)
	}
	if err := C.lg_platform_version(slot, args.client, &text, &size); err == nil {
		c.Version = C.GoStringN(text, C.int(size))
	} else {
		c.fail("the platform's version is unknown", slot, err)
	}
	reading.Lock()
	clients[args.client] = c
	reading.Unlock()
	return nil
}

// lgClientCompile replaces PJRT_Client_Compile: it loads what is stored, and stores what it had to compile.
//
//export lgClientCompile
func lgClientCompile(slot C.int, args *C.lg_compile_args) *C.lg_error {
	reading.RLock()
	c := clients[args.client]
	reading.RUnlock()
	if c == nil {
		return C.lg_real_compile(slot, args)
	}
	if c.store == nil {
		return c.compile(args)
	}
	key := c.key(args)
	intact := false
	payload, err := c.store.Get(key)
	if err != nil { // of those that want it now, one compiles it and the others wait
		defer c.store.Alone(key)()
		if made, late := c.store.Get(key); late == nil {
			payload, err = made, nil
		}
	}
	if err == nil {
		if out := c.load(args.client, payload); out != nil {
			args.executable = out
			c.store.Used(key)
			c.count(func(s *Stats) { s.Hits++ })
			return nil
		}
		c.store.Refused(key)
		c.count(func(s *Stats) { s.Refused++ })
		intact = true
	} else {
		c.count(func(s *Stats) {
			s.Misses++
			if !errors.Is(err, fs.ErrNotExist) {
				s.Problem = err.Error()
			}
		})
	}
	if err := c.compile(args); err != nil {
		return err
	}
	if !intact { // what the plugin has just refused would only be refused again
		c.keep(key, args.executable)
	}
	return nil
}

// compile has the plugin compile a program. On the processor XLA emits fusions in its older way, which compiles in
// two thirds of the time, runs as fast and gives the same bits; a plugin that does not know the option, or refuses
// the program, is asked again without it.
func (c *Client) compile(args *C.lg_compile_args) *C.lg_error {
	if c.Platform != "cpu" {
		return C.lg_real_compile(C.int(c.slot), args)
	}
	options, size := args.compile_options, args.compile_options_size
	quick := append(C.GoBytes(unsafe.Pointer(options), C.int(size)), off("xla_cpu_use_fusion_emitters")...)
	args.compile_options, args.compile_options_size = (*C.char)(C.CBytes(quick)), C.size_t(len(quick))
	err := C.lg_real_compile(C.int(c.slot), args)
	C.free(unsafe.Pointer(args.compile_options))
	args.compile_options, args.compile_options_size = options, size
	if err == nil {
		return nil
	}
	C.lg_error_free(C.int(c.slot), err)
	return C.lg_real_compile(C.int(c.slot), args)
}

// off returns the part of a serialized CompileOptionsProto that turns a debug option off: an entry of the map
// env_option_overrides, 7, whose value is an OptionOverrideProto with its bool_field, 2.
func off(option string) []byte {
	entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), option)
	value := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 0)
	entry = protowire.AppendBytes(protowire.AppendTag(entry, 2, protowire.BytesType), value)
	return protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), entry)
}

// key names the program of a call.
func (c *Client) key(args *C.lg_compile_args) diskcache.Key {
	text := func(p *C.char, n C.size_t) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p)), int(n)) }
	parts := append(c.base[:len(c.base):len(c.base)],
		text(args.program.format, args.program.format_size),
		text(args.program.code, args.program.code_size),
		text(args.compile_options, args.compile_options_size))
	return keyOf(parts...)
}

// load hands a stored program to the plugin; nil means it was refused.
func (c *Client) load(client *C.lg_client, payload []byte) *C.lg_loaded {
	if len(payload) == 0 {
		c.count(func(s *Stats) { s.Problem = "a stored program is empty" })
		return nil
	}
	var out *C.lg_loaded
	err := C.lg_load(C.int(c.slot), client, (*C.char)(unsafe.Pointer(&payload[0])), C.size_t(len(payload)), &out)
	if err != nil {
		c.fail("the plugin refused a stored program", C.int(c.slot), err)
		return nil
	}
	return out
}

// keep stores a compiled program.
func (c *Client) keep(key diskcache.Key, program *C.lg_loaded) {
	var args C.lg_serialize_args
	if err := C.lg_serialize(C.int(c.slot), program, &args); err != nil {
		c.fail("the plugin cannot write a program down", C.int(c.slot), err)
		return
	}
	defer C.lg_free_serialized(&args)
	err := c.store.Put(key, unsafe.Slice((*byte)(unsafe.Pointer(args.bytes)), int(args.bytes_size)))
	c.count(func(s *Stats) {
		if err == nil {
			s.Stored++
		} else {
			s.Problem = err.Error()
		}
	})
}

// fail frees an error of the plugin and records it.
func (c *Client) fail(what string, slot C.int, err *C.lg_error) {
	var text *C.char
	var size C.size_t
	C.lg_error_text(slot, err, &text, &size)
	reason, _, _ := strings.Cut(C.GoStringN(text, C.int(size)), "\n")
	C.lg_error_free(slot, err)
	c.count(func(s *Stats) { s.Problem = what + ": " + reason })
}
