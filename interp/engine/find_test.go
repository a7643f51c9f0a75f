package engine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// touch makes an empty file and the directories above it.
func touch(t *testing.T, elem ...string) string {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPluginsInOrder(t *testing.T) {
	root := filepath.Join(t.TempDir(), "a [strange] *dir?")
	lib, home, venv, cache := filepath.Join(root, "lib"), filepath.Join(root, "home"), filepath.Join(root, "venv"), filepath.Join(root, "cache")
	t.Setenv("HOME", home)
	t.Setenv("VIRTUAL_ENV", venv)
	t.Setenv("CONDA_PREFIX", "relative")
	t.Setenv("PATH", "")
	t.Setenv("LD_LIBRARY_PATH", "relative")

	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", lib+":relative")
	if got := cpuPlugins(cache); len(got) != 0 {
		t.Errorf("found %q where nothing is", got)
	}
	want := []string{
		touch(t, lib, "pjrt_plugin_cpu.so"),
		touch(t, lib, "pjrt_c_api_cpu_v0.83.1_plugin.so"),
		touch(t, PluginFile(cache)),
	}
	cuda := touch(t, lib, "pjrt_c_api_cuda_plugin.so")
	touch(t, lib, "pjrt_plugin_cpu.so.lock")
	touch(t, lib, "libcpu.so")
	own := touch(t, home, ".local/lib/go-xla/pjrt_c_api_cpu_plugin.so")
	if got := cpuPlugins(cache); !slices.Equal(got, want) {
		t.Errorf("cpu: %q, want %q", got, want)
	}
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	if got := cpuPlugins(cache); len(got) == 0 || got[0] != own || got[len(got)-1] != PluginFile(cache) || slices.Contains(got, want[0]) {
		t.Errorf("cpu, in the usual places: %q", got)
	}

	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", lib)
	want = []string{
		cuda,
		touch(t, venv, "lib/python3.12/site-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so"),
		touch(t, venv, "lib/python3.12/site-packages/jax_plugins/xla_cuda12/xla_cuda_plugin.so"),
		touch(t, home, ".local/lib/python3.11/site-packages/jax_plugins/xla_cuda12/xla_cuda_plugin.so"),
	}
	if got := cudaPlugins(); len(got) < 4 || !slices.Equal(got[:4], want) {
		t.Errorf("cuda: %q, want %q", got, want)
	}
}

func TestPrepareCUDA(t *testing.T) {
	site := t.TempDir()
	plugin := touch(t, site, "jax_plugins/xla_cuda13/xla_cuda_plugin.so")
	t.Setenv("PATH", "/bin")
	t.Setenv("XLA_FLAGS", "--xla_first=1")
	t.Setenv("NVIDIA_TF32_OVERRIDE", "")
	prepareCUDA(plugin)
	if v := os.Getenv("NVIDIA_TF32_OVERRIDE"); v != "0" {
		t.Errorf("NVIDIA_TF32_OVERRIDE became %q, want 0", v)
	}
	const products = " --xla_gpu_enable_triton_gemm=false"
	if f := os.Getenv("XLA_FLAGS"); f != "--xla_first=1"+products {
		t.Errorf("without CUDA's files, XLA_FLAGS became %q", f)
	}
	touch(t, site, "nvidia/cu13/bin/ptxas")
	dir := filepath.Join(site, "nvidia/cu13")
	for range 2 { // the second time it is there already
		prepareCUDA(plugin)
		if f := os.Getenv("XLA_FLAGS"); f != "--xla_first=1"+products+" --xla_gpu_cuda_data_dir="+dir {
			t.Errorf("XLA_FLAGS became %q", f)
		}
		if p := os.Getenv("PATH"); p != dir+"/bin:/bin" {
			t.Errorf("PATH became %q", p)
		}
	}
	t.Setenv("XLA_FLAGS", "--xla_gpu_enable_triton_gemm=true --xla_gpu_cuda_data_dir=/mine")
	t.Setenv("NVIDIA_TF32_OVERRIDE", "1")
	prepareCUDA(plugin)
	if v := os.Getenv("NVIDIA_TF32_OVERRIDE"); v != "1" {
		t.Errorf("the user's NVIDIA_TF32_OVERRIDE became %q", v)
	}
	if f := os.Getenv("XLA_FLAGS"); f != "--xla_gpu_enable_triton_gemm=true --xla_gpu_cuda_data_dir=/mine" {
		t.Errorf("the user's flags became %q", f)
	}
}

func TestPrepareCPU(t *testing.T) {
	const ours = "--xla_backend_extra_options=-unroll-threshold=150"
	for before, after := range map[string]string{
		"":                                  ours,
		ours:                                ours,
		"--xla_mine=1":                      "--xla_mine=1 " + ours,
		"--xla_backend_extra_options=-mine": "--xla_backend_extra_options=-mine",
		"/a/file/of/flags":                  "/a/file/of/flags",
	} {
		t.Setenv("XLA_FLAGS", before)
		prepareCPU()
		if got := os.Getenv("XLA_FLAGS"); got != after {
			t.Errorf("XLA_FLAGS %q became %q, want %q", before, got, after)
		}
	}
}

func TestKindOfPath(t *testing.T) {
	for path, want := range map[string]Kind{
		"/x/xla_cuda_plugin.so": XLACUDA, "/cuda/xla_cpu_pjrt.so": XLACPU, "/x/pjrt_c_api_cuda_plugin.so": XLACUDA, "/x/y.so": XLACPU,
	} {
		if got := guessKind(path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}
