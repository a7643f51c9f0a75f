package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestRoot(t *testing.T) {
	project := t.TempDir()
	deep := filepath.Join(project, "notebooks", "lecture")
	write(t, filepath.Join(deep, "go.mod"), "module lucigo/other\n") // passed by
	for _, text := range []string{"module lucigo\n", "// a comment\r\nmodule lucigo\r\n\r\ngo 1.26\r\n"} {
		write(t, filepath.Join(project, "go.mod"), text)
		for _, dir := range []string{project, filepath.Dir(deep), deep} {
			if got, err := Root(dir); got != project || err != nil {
				t.Errorf("Root(%s) = %s, %v, want %s", dir, got, err, project)
			}
		}
	}
	if dir, err := Root(t.TempDir()); err == nil || !strings.Contains(err.Error(), "run the command in the project's directory") {
		t.Errorf("outside: %s, %v", dir, err)
	}
	here, err := Root(".")
	if err != nil || !filepath.IsAbs(here) {
		t.Errorf("Root(.) = %s, %v", here, err)
	}
	if _, err := os.Stat(filepath.Join(here, "internal", "project", "project_test.go")); err != nil {
		t.Error(err)
	}
}

func TestCache(t *testing.T) {
	home := t.TempDir()
	t.Setenv(EnvCache, home)
	if got, err := Cache("a", "b"); got != filepath.Join(home, "a", "b") || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvCache, "relative")
	if got, err := Cache(); got != filepath.Join(wd, "relative") || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	t.Setenv(EnvCache, "")
	user, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("skipped: this user has no cache directory: %v", err)
	}
	if got, err := Cache("a"); got != filepath.Join(user, "lucigo", "a") || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} { // those of all systems
		t.Setenv(name, "")
	}
	if got, err := Cache("a"); err == nil || !strings.Contains(err.Error(), EnvCache) {
		t.Errorf("without a home: %s, %v", got, err)
	}
}
