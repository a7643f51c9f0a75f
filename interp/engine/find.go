package engine

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// PluginName and PluginVersion are the package in which the OpenXLA project publishes the plugin for processors.
const (
	PluginName    = "xla-cpu-pjrt"
	PluginVersion = "0.0.1"
)

// PluginFile returns where in a cache directory the plugin for the processor is installed.
func PluginFile(cacheDir string) string {
	return filepath.Join(cacheDir, "pjrt", PluginName+"-"+PluginVersion, "xla_cpu_pjrt.so")
}

var errNoGPU = errors.New("this machine has no NVIDIA GPU (no /dev/nvidia0)")

// hasGPU says whether the NVIDIA driver shows a GPU.
func hasGPU() bool {
	cards, _ := filepath.Glob("/dev/nvidia[0-9]*") // the pattern is well formed
	return len(cards) > 0
}

// cpuPlugins lists the files to try for the processor, those that go-xla would find first.
func cpuPlugins(cacheDir string) []string {
	list := named(goXLAPlugins(), "cpu")
	if file := PluginFile(cacheDir); cacheDir != "" && exists(file) {
		list = append(list, file)
	}
	return list
}

// cudaPlugins lists the files to try for a GPU: those that go-xla would find, then those of Python's packages.
func cudaPlugins() []string {
	list := named(goXLAPlugins(), "cuda")
	roots := []string{os.Getenv("VIRTUAL_ENV"), os.Getenv("CONDA_PREFIX")}
	if python, err := exec.LookPath("python3"); err == nil {
		roots = append(roots, filepath.Dir(filepath.Dir(python)))
	}
	if home, err := os.UserHomeDir(); err == nil {
		roots = append(roots, filepath.Join(home, ".local"))
	}
	roots = append(roots, "/usr/local", "/usr")
	for i, root := range roots {
		if !filepath.IsAbs(root) || slices.Contains(roots[:i], root) {
			continue
		}
		found := glob(root, "lib/python3*/*-packages/jax_plugins/xla_cuda*/xla_cuda_plugin.so")
		slices.Sort(found)
		slices.Reverse(found) // the newest CUDA first
		list = append(list, found...)
	}
	return list
}

// goXLAPlugins lists the plugin files in the directories that go-xla searches: those of PJRT_PLUGIN_LIBRARY_PATH if it
// is set, else its own installation directories and LD_LIBRARY_PATH. go-xla's own search loads every candidate, which
// takes a process down if one is damaged.
func goXLAPlugins() []string {
	dirs := filepath.SplitList(os.Getenv("PJRT_PLUGIN_LIBRARY_PATH"))
	if len(dirs) == 0 {
		if home, err := os.UserHomeDir(); err == nil {
			dirs = append(dirs, filepath.Join(home, ".local/lib/go-xla"), filepath.Join(home, ".local/lib/go-xla/nvidia"),
				filepath.Join(home, "Library/Application Support/go-xla"))
		}
		dirs = append(dirs, "/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia")
		dirs = append(dirs, filepath.SplitList(os.Getenv("LD_LIBRARY_PATH"))...)
	}
	var list []string
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) {
			continue
		}
		for _, pattern := range []string{"pjrt-plugin-*", "pjrt_plugin_*", "pjrt_c_api_*_plugin.*"} {
			for _, file := range glob(dir, pattern) {
				if ext := filepath.Ext(file); ext == ".so" || ext == ".dylib" {
					list = append(list, file)
				}
			}
		}
	}
	return list
}

// named keeps the files whose name speaks of a platform.
func named(files []string, platform string) []string {
	return slices.DeleteFunc(files, func(f string) bool { return !strings.Contains(strings.ToLower(filepath.Base(f)), platform) })
}

// guessKind tells from a plugin's name what it runs on; the plugin itself is asked once it is open.
func guessKind(path string) Kind {
	if strings.Contains(strings.ToLower(filepath.Base(path)), "cuda") {
		return XLACUDA
	}
	return XLACPU
}

// prepareCUDA keeps CUDA's libraries from computing products of float32 numbers in TF32, of 10 bits: GoogLeNet's
// activations are then wrong by 6e-4 instead of 7e-7. XLA's own products, by Triton, are in TF32 too, and are turned off: with
// them GoogLeNet's gradient is wrong by 5e-4 instead of 6e-7. It tells XLA where CUDA's own files are, if they lie beside the
// plugin as Python's packages lay them out: libdevice by XLA_FLAGS, the assembler by PATH. What the environment says
// already stays.
func prepareCUDA(path string) {
	const tf32 = "NVIDIA_TF32_OVERRIDE"
	if os.Getenv(tf32) == "" {
		os.Setenv(tf32, "0")
	}
	addFlag("--xla_gpu_enable_triton_gemm", "false")
	if strings.Contains(os.Getenv("XLA_FLAGS"), "--xla_gpu_cuda_data_dir") {
		return
	}
	above := filepath.Dir(filepath.Dir(path))
	for _, nvidia := range []string{filepath.Join(above, "nvidia"), filepath.Join(filepath.Dir(above), "nvidia")} {
		for _, part := range []string{"cu13", "cuda_nvcc", "."} {
			dir := filepath.Join(nvidia, part)
			if !exists(filepath.Join(dir, "nvvm")) && !exists(filepath.Join(dir, "bin", "ptxas")) {
				continue
			}
			addFlag("--xla_gpu_cuda_data_dir", dir)
			os.Setenv("PATH", filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
			return
		}
	}
}

// prepareCPU keeps LLVM from unrolling long loops, unless the environment has options of its own for LLVM. Programs
// compile in half the time, run as fast and give the same bits.
func prepareCPU() {
	addFlag("--xla_backend_extra_options", "-unroll-threshold=150")
}

// addFlag adds a flag to XLA_FLAGS, unless it is there already or XLA_FLAGS is the name of a file.
func addFlag(name, value string) {
	flags := strings.TrimSpace(os.Getenv("XLA_FLAGS"))
	if strings.Contains(flags, name) || flags != "" && !strings.HasPrefix(flags, "--") {
		return
	}
	os.Setenv("XLA_FLAGS", strings.TrimSpace(flags+" "+name+"="+value))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// glob returns the files of a directory that match a well-formed pattern.
func glob(dir, pattern string) []string {
	found, _ := fs.Glob(os.DirFS(dir), pattern)
	for i, name := range found {
		found[i] = filepath.Join(dir, filepath.FromSlash(name))
	}
	return found
}
