package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// cell is a cell of a notebook, as its file has it.
type cell struct {
	ID       string         `json:"id"`
	Type     string         `json:"cell_type"`
	Source   string         `json:"source"`
	Metadata map[string]any `json:"metadata"`
}

// write writes a notebook of code cells, and returns its file.
func write(t *testing.T, dir, name string, sources ...string) string {
	t.Helper()
	type code struct {
		cell
		Outputs []any `json:"outputs"`
		Count   *int  `json:"execution_count"`
	}
	cells := []code{}
	for i, source := range sources {
		metadata := map[string]any{}
		if name == "parameters.ipynb" && i == 0 {
			metadata["tags"] = []string{"parameters"}
		}
		cells = append(cells, code{cell{"cell-" + string(rune('a'+i)), "code", source, metadata}, []any{}, nil})
	}
	b, err := json.Marshal(map[string]any{"nbformat": 4, "nbformat_minor": 5, "cells": cells, "metadata": map[string]any{
		"kernelspec":    map[string]any{"name": "lucigo", "display_name": "Go (LuciGo)", "language": "go"},
		"language_info": map[string]any{"name": "go", "file_extension": ".go", "mimetype": "text/x-go"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}
