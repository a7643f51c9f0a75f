package source

import (
	"go/token"
	"slices"
	"strings"
)

// Memory holds the declarations that later cells know. Its zero value holds none. A Memory does not change: a cell is
// remembered in a new one, so that a cell that does not compile leaves no trace.
type Memory struct {
	cells []remembered // in the order of their runs
}

// remembered is a cell of which some declarations may be dead, because later ones replace them.
type remembered struct {
	*Cell
	number int               // the run's
	id     string            // the notebook's name for the cell, or ""
	dead   map[string]bool   // keys
	once   bool              // what has no key, such as init, is dead
	found  map[string]Import // by name: packages that its declarations use and that no cell imported when it ran
}

func (r remembered) alive(key string) bool {
	if key == "" {
		return !r.once
	}
	return !r.dead[key]
}

// spent says whether nothing is left of it, now that c runs: its imports are among those of c.
func (r remembered) spent(c *Cell) bool {
	other := func(i Import) bool {
		return !slices.ContainsFunc(c.imports, func(j Import) bool { return i.Name == j.Name && i.Path == j.Path })
	}
	return !slices.ContainsFunc(r.keys(), r.alive) && (r.once || !slices.ContainsFunc(r.decls, (*decl).keyless)) &&
		!slices.ContainsFunc(r.imports, other)
}

// keys are what the cell declares by a name.
func (c *Cell) keys() (all []string) {
	for _, d := range c.decls {
		for _, s := range d.specs {
			for _, n := range s.names {
				if n.key != "" {
					all = append(all, n.key)
				}
			}
		}
	}
	return all
}

// Add is the memory after the run of that number of a cell, whose declarations replace those of their names. A cell
// that is run again, which its id or its text tells, replaces its own init funcs and its variables without a name too;
// so does one that replaces all that a cell declares. Packages that the declarations use without an import stay those
// that pkgs finds now, whatever later cells import.
func (m Memory) Add(number int, id string, c *Cell, pkgs Packages) Memory {
	keys := c.keys()
	replaced := map[string]bool{}
	for _, key := range keys {
		replaced[key] = true
	}
	noType := map[string]bool{} // they have no methods
	for _, d := range c.decls {
		for _, s := range d.specs {
			for _, n := range s.names {
				if d.tok != token.TYPE && n.key != "" {
					noType[n.key] = true
				}
			}
		}
	}
	next := m.kill(func(key string) bool {
		of, _, method := strings.Cut(key, ".")
		return replaced[key] || method && noType[of]
	})
	for i, old := range next.cells {
		all := old.keys()
		next.cells[i].once = old.once || id != "" && id == old.id || c.Text == old.Text ||
			len(all) > 0 && !slices.ContainsFunc(all, old.alive)
	}
	next.cells = slices.DeleteFunc(next.cells, func(old remembered) bool { return old.spent(c) })
	added := remembered{Cell: c, number: number, id: id}
	next.cells = append(next.cells, added)
	next.cells[len(next.cells)-1].found = next.find(added, pkgs)
	return next
}

// find finds the packages that a cell's declarations use and that no cell imports.
func (m Memory) find(r remembered, pkgs Packages) map[string]Import {
	names, used, found := m.Names(), uses{}, map[string]Import{}
	for _, d := range r.decls {
		used.add(d.uses)
	}
	for name, selected := range used {
		if _, _, imported := (file{remembered: r}).find(name, m, pkgs); imported || slices.Contains(names, name) {
			continue
		}
		if i, ok := guess(pkgs, name, selected); ok {
			found[name] = i
		}
	}
	return found
}

// kill is the memory without the declarations that which names.
func (m Memory) kill(which func(key string) bool) Memory {
	next := Memory{slices.Clone(m.cells)}
	for i, old := range next.cells {
		dead := map[string]bool{}
		for _, key := range old.keys() {
			if old.dead[key] || which(key) {
				dead[key] = true
			}
		}
		next.cells[i].dead = dead
	}
	return next
}

// Forget is the memory without the declarations of that name, and says whether there were any. A type is forgotten with
// its methods.
func (m Memory) Forget(name string) (next Memory, found bool) {
	next = m.kill(func(key string) bool { return key == name || strings.HasPrefix(key, name+".") })
	found = slices.Contains(m.Names(), name)
	for i, old := range next.cells { // An import's name counts too.
		kept := slices.DeleteFunc(slices.Clone(old.imports), func(i Import) bool { return i.called() == name })
		if len(kept) < len(old.imports) {
			found = true
			c := *old.Cell
			c.imports = kept
			next.cells[i].Cell = &c
		}
	}
	return next, found
}

// called is the name by which code refers to the package, as far as the import tells.
func (i Import) called() string {
	if i.Name != "" {
		return i.Name
	}
	return i.Path[strings.LastIndexByte(i.Path, '/')+1:]
}

// Names are the names that are declared, "T.m" for a method, in the order of their declaration.
func (m Memory) Names() (all []string) {
	for _, c := range m.cells {
		for _, key := range c.keys() {
			if c.alive(key) {
				all = append(all, key)
			}
		}
	}
	return all
}

// Declared lists what is remembered for people: a line for each declaration.
func (m Memory) Declared() (lines []string) {
	words := map[token.Token]string{token.FUNC: "func", token.VAR: "var", token.CONST: "const", token.TYPE: "type"}
	for _, c := range m.cells {
		for _, i := range c.imports {
			line := strings.Join(strings.Fields("import "+i.Name+" "+i.Path), " ")
			if !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
		for _, d := range c.decls {
			for _, s := range d.specs {
				for _, n := range s.names {
					if n.key != "" && c.alive(n.key) {
						lines = append(lines, words[d.tok]+" "+n.key)
					}
				}
			}
		}
	}
	return lines
}
