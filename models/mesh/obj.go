package mesh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	maxLine    = 1 << 16 // bytes of a line of a file
	maxCorners = 256     // of a polygon
)

// Read reads a mesh from a Wavefront .obj file: places (v), places in the picture (vt), normals (vn) and faces (f), whose numbers may
// count from the end. Polygons are cut into triangles. Faces of three or more corners must have places in the picture. A fourth coordinate
// and colours of places, groups, smoothing, lines and materials are passed over; no other file is ever opened, and names of files outside
// the mesh's folder are errors. It returns the mesh with an error that is ErrOpen if the surface is not closed. It ends when ctx does.
//
// In a file, places in the picture count from its lower left corner, and it repeats beyond its edges.
func Read(ctx context.Context, r io.Reader) (*Mesh, error) {
	m := &Mesh{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	number := 0
	var line []byte // those that a backslash joins are one
	for lines.Scan() {
		if number++; number%64 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		text := lines.Bytes()
		if number == 1 {
			text = bytes.TrimPrefix(text, []byte("\uFEFF"))
		}
		if text = bytes.TrimRight(text, "\r"); bytes.IndexByte(text, '\r') >= 0 {
			return nil, fmt.Errorf("mesh: line %d has a carriage return within it: save the file with lines that end in a line feed", number)
		}
		text, _, _ = bytes.Cut(text, []byte("#"))
		text, more := bytes.CutSuffix(bytes.TrimRight(text, " \t"), []byte(`\`))
		if line = append(line, text...); more {
			if line = append(line, ' '); len(line) > maxLine {
				return nil, fmt.Errorf("mesh: line %d goes on for more than %d bytes: is this a Wavefront .obj file?", number, maxLine)
			}
			continue
		}
		if err := m.statement(strings.Fields(string(line))); err != nil {
			return nil, fmt.Errorf("mesh: line %d: %w", number, err)
		}
		line = line[:0]
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("mesh: line %d has more than %d bytes: is this a Wavefront .obj file?", number+1, maxLine)
	case err != nil:
		return nil, fmt.Errorf("mesh: after line %d: %w", number, err)
	case len(line) > 0:
		return nil, fmt.Errorf("mesh: line %d is the last and ends with a backslash: is the file all there?", number)
	case len(m.triangles) == 0:
		return nil, fmt.Errorf("mesh: no face (f) in %d lines: is this a Wavefront .obj file?", number)
	}
	err := m.build(ctx)
	if err != nil && !errors.Is(err, ErrOpen) {
		return nil, err
	}
	return m, err
}

// statement takes one line.
func (m *Mesh) statement(words []string) error {
	if len(words) == 0 {
		return nil
	}
	name, words := words[0], words[1:]
	if n := max(len(m.places), len(m.paint), len(m.normals)); n > 3*MaxTriangles {
		return fmt.Errorf("more than %d places (v, vt or vn): reduce the mesh (in Blender: Decimate)", 3*MaxTriangles)
	}
	switch name {
	case "v":
		p, err := numbers(name, words, 3)
		m.places = append(m.places, p)
		return err
	case "vt":
		p, err := numbers(name, words, 1)
		m.paint = append(m.paint, [2]float64{p[0], 1 - p[1]})
		return err
	case "vn":
		p, err := numbers(name, words, 3)
		if l := p.length(); l > 0 {
			p = p.times(1 / l)
		}
		m.normals = append(m.normals, p)
		return err
	case "f":
		return m.face(words)
	case "mtllib", "maplib", "usemap", "shadow_obj", "trace_obj":
		return inFolder(name, words)
	case "call", "csh":
		return fmt.Errorf("%s asks for another file or program, which is never opened: export the mesh as one file", name)
	case "g", "o", "s", "l", "p", "usemtl", "mg", "bevel", "c_interp", "d_interp", "lod":
		return nil
	}
	if strings.HasPrefix(name, "map_") || name == "bump" || name == "disp" || name == "decal" || name == "refl" { // of materials, written here
		return inFolder(name, words)
	}
	switch name {
	case "vp", "cstype", "deg", "bmat", "step", "curv", "curv2", "surf", "parm", "trim", "hole", "scrv", "sp", "end", "con":
		return fmt.Errorf("%s belongs to a curved surface, and only polygons are read: convert it to a mesh before it is exported", name)
	}
	return fmt.Errorf("%.40q is no statement of a Wavefront .obj file", name)
}

// numbers reads up to three numbers, of which some must be there. What comes after them must be numbers, too.
func numbers(name string, words []string, must int) (p vec, err error) {
	if len(words) < must {
		return p, fmt.Errorf("%s has %d numbers, must have at least %d", name, len(words), must)
	}
	for i, w := range words {
		v, err := strconv.ParseFloat(w, 64)
		if err != nil || !(math.Abs(v) <= MaxPlace) {
			return p, fmt.Errorf("%s has %.40q, must be a number from −%g to %[3]g", name, w, MaxPlace)
		}
		if i < len(p) {
			p[i] = v
		}
	}
	return p, nil
}

// inFolder returns an error if files are named that may lie outside the mesh's folder. They are not opened in any case.
func inFolder(name string, words []string) error {
	for _, w := range append(words, strings.Join(words, " ")) { // names may contain spaces
		if slashed := strings.ReplaceAll(w, `\`, "/"); w != "" && (strings.Contains(w, ":") || !filepath.IsLocal(slashed)) {
			return fmt.Errorf("%s names %.80q, which is outside the mesh's folder: remove the line, files of materials are not needed", name, w)
		}
	}
	return nil
}

// face takes a polygon.
func (m *Mesh) face(words []string) error {
	if len(words) < 3 || len(words) > maxCorners {
		return fmt.Errorf("a face has %d corners, must have 3 to %d: triangulate the mesh when it is exported", len(words), maxCorners)
	}
	corners := make([]corner, len(words))
	for i, w := range words {
		place, rest, _ := strings.Cut(w, "/")
		paint, normal, _ := strings.Cut(rest, "/")
		if strings.Contains(normal, "/") {
			return fmt.Errorf("a corner of a face is %.40q, must be v/vt or v/vt/vn", w)
		}
		c := &corners[i]
		var err error
		if c.place, err = index(place, "v", len(m.places)); err != nil {
			return err
		}
		if paint == "" {
			return fmt.Errorf("the corner %.40q of a face has no vt, and without places in a picture it cannot be painted: unwrap the mesh (in Blender: UV, Smart UV Project) and export it with UVs", w)
		}
		if c.paint, err = index(paint, "vt", len(m.paint)); err != nil {
			return err
		}
		c.normal = -1
		if normal != "" {
			if c.normal, err = index(normal, "vn", len(m.normals)); err != nil {
				return err
			}
		}
	}
	if len(m.triangles)+len(corners)-2 > MaxTriangles {
		return fmt.Errorf("more than %d triangles: reduce the mesh (in Blender: Decimate)", MaxTriangles)
	}
	return m.cut(corners)
}

// index returns the place of a number from 1, or back from −1, in a list of so many.
func index(word, of string, n int) (int32, error) {
	i, err := strconv.Atoi(word)
	switch {
	case err != nil || i == 0:
		return 0, fmt.Errorf("a face names %s %.40q, must be a number from 1, or from −1 backwards", of, word)
	case i > n || i < -n:
		return 0, fmt.Errorf("a face names %s %d, and there are %d before it", of, i, n)
	case i < 0:
		return int32(n + i), nil
	}
	return int32(i - 1), nil
}

// cut cuts a polygon into triangles that all have one corner: the first from which none of them is turned over.
func (m *Mesh) cut(corners []corner) error {
	n := len(corners)
	if n == 3 {
		m.triangles = append(m.triangles, triangle(corners))
		return nil
	}
	fan := func(from int) (all []triangle, sum vec) {
		for i := 1; i < n-1; i++ {
			t := triangle{corners[from], corners[(from+i)%n], corners[(from+i+1)%n]}
			all, sum = append(all, t), sum.plus(m.across(t), 1)
		}
		return all, sum
	}
	for from := range n {
		all, sum := fan(from)
		turned := false
		for _, t := range all {
			turned = turned || m.across(t).dot(sum) < -1e-9*sum.dot(sum)
		}
		if !turned {
			m.triangles = append(m.triangles, all...)
			return nil
		}
	}
	return fmt.Errorf("a face of %d corners is not convex: triangulate the mesh when it is exported", n)
}

// Write writes the mesh as a Wavefront .obj file, which Read reads as the same mesh except for rounding. Triangles that were dropped are
// not in it.
func (m *Mesh) Write(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, p := range m.places {
		fmt.Fprintln(b, "v", p[0], p[1], p[2])
	}
	for _, p := range m.paint {
		fmt.Fprintln(b, "vt", p[0], 1-p[1])
	}
	for _, p := range m.normals {
		fmt.Fprintln(b, "vn", p[0], p[1], p[2])
	}
	for _, t := range m.triangles {
		fmt.Fprint(b, "f")
		for _, c := range t {
			fmt.Fprintf(b, " %d/%d", c.place+1, c.paint+1)
			if c.normal >= 0 {
				fmt.Fprintf(b, "/%d", c.normal+1)
			}
		}
		fmt.Fprintln(b)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("mesh: %w", err)
	}
	return nil
}
