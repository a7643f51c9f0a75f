package notebook

import (
	"encoding/json"
	"strings"
)

// What format 3 calls otherwise than format 4: its cells are in worksheets, headings are cells of their own, and an
// output's representations are fields of it, under short names.

// upgrade turns what format 3 says of a whole notebook into format 4. Its language is said by its cells there.
func (nb *Notebook) upgrade(cells list) {
	for _, key := range []string{"name", "signature"} {
		delete(nb.Metadata, key)
	}
	for _, key := range []string{"orig_nbformat", "orig_nbformat_minor"} {
		delete(nb.unknown, key)
	}
	nb.minor = 0
	if nb.Language() != "" {
		return
	}
	for _, raw := range cells {
		var cell struct{ Language string }
		if json.Unmarshal(raw, &cell) == nil && cell.Language != "" {
			nb.Metadata["language_info"], _ = json.Marshal(map[string]string{"name": cell.Language}) // Strings are JSON.
			return
		}
	}
}

// rename gives fields other names. A name that is taken is not given again.
func (o object) rename(names ...string) {
	for i := 0; i < len(names); i += 2 {
		raw, ok := o[names[i]]
		if _, taken := o[names[i+1]]; ok && !taken {
			delete(o, names[i])
			o[names[i+1]] = raw
		}
	}
}

// put sets a field to a text.
func (o object) put(name, text string) { o[name], _ = json.Marshal(text) } // A string is JSON.

// upgradeCell turns a cell of format 3 into one of format 4.
func (o object) upgradeCell() {
	var typ string
	json.Unmarshal(o["cell_type"], &typ) // What is no type is refused later.
	switch typ {
	case Code:
		o.rename("input", "source", "prompt_number", "execution_count")
		if _, ok := o["source"]; !ok {
			o.put("source", "")
		}
		if collapsed, ok := o["collapsed"]; ok {
			var m Metadata
			if json.Unmarshal(o["metadata"], &m); m == nil {
				m = Metadata{}
			}
			m["collapsed"] = collapsed
			o["metadata"], _ = json.Marshal(m) // It was JSON.
		}
		delete(o, "collapsed")
		delete(o, "language")
	case "heading":
		level, source := 1, ""
		o.take("level", &level, "")
		if s, err := text(o["source"]); err == nil { // Else it is refused later.
			source = strings.Repeat("#", min(max(level, 1), 6)) + " " + strings.Join(strings.Fields(s), " ")
			o.put("source", source)
		}
		o.put("cell_type", Markdown)
	case "html":
		o.put("cell_type", Markdown)
	}
}

// upgradeOutput turns an output of format 3 into one of format 4, and returns its data.
func (o object) upgradeOutput() (data object) {
	var typ string
	json.Unmarshal(o["output_type"], &typ) // What is no type is refused later.
	switch typ {
	case "pyerr":
		o.put("output_type", Error)
	case Stream:
		o.rename("stream", "name")
		if _, ok := o["name"]; !ok {
			o.put("name", "stdout")
		}
	case "pyout", DisplayData:
		if typ == "pyout" {
			o.put("output_type", ExecuteResult)
			o.rename("prompt_number", "execution_count")
		}
		data = object{}
		for name, raw := range o {
			switch name {
			case "output_type", "execution_count", "metadata":
			default:
				data[name] = raw
				delete(o, name)
			}
		}
		data.rename("text", "text/plain", "html", "text/html", "latex", "text/latex",
			"svg", "image/svg+xml", "png", "image/png", "jpeg", "image/jpeg",
			"json", "application/json", "javascript", "application/javascript")
		if raw, ok := data["application/json"]; ok {
			if s, err := text(raw); err == nil && json.Valid([]byte(s)) { // Format 3 has it as a text.
				data["application/json"], _ = json.Marshal(json.RawMessage(s))
			}
		}
	}
	return data
}
